import jsQR from "jsqr";
import { describe, expect, it } from "vitest";
import { createOutput } from "../../src/cli/output.ts";
import { qrCode } from "../../src/cli/qr-code.ts";
import { duration, printCodes, printStatus, type Status, type StatusNode } from "../../src/cli/status-text.ts";

/** Its types take it for an ES module, which it is not. */
const readCode = jsQR as unknown as typeof jsQR.default;

/** The picture a terminal shows of half blocks in white on black: what a phone's camera sees. */
function rasterise(text: string, scale: number) {
  const rows = text.split("\n").map(line => {
    const shown = /^\u001b\[97;40m([ ▀▄█]+)\u001b\[0m$/.exec(line)?.[1];
    if (shown === undefined) throw new Error(`no line of a code: ${JSON.stringify(line)}`);
    return [...shown];
  });
  const [width, height] = [(rows[0]?.length ?? 0) * scale, rows.length * 2 * scale];
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const half = Math.floor(y / scale);
      const character = rows[half >> 1]?.[Math.floor(x / scale)] ?? " ";
      const isLight = character === "█" || character === (half % 2 === 0 ? "▀" : "▄");
      pixels.set(isLight ? [229, 229, 229, 255] : [12, 12, 12, 255], (y * width + x) * 4);
    }
  }
  return { pixels, width, height, rows };
}

const decode = (text: string): string | undefined => {
  const { pixels, width, height } = rasterise(text, 4);
  return readCode(pixels, width, height)?.data;
};

const uri = (key: string) =>
  `iotdisco:MAN=isthmus.example;MODEL=Concentrator;SN=0123456789;KEY=${key};R=registry.demo.isthmus.example`;

describe("a code for the phone", () => {
  it.each([
    uri("0123456789abcdef0123456789abcdef"),
    `${uri("f".repeat(64))};NID=heat-3;SID=MeteringTopology;PT=attic-mbus`,
    "iotdisco:KEY=a;ROOM=Küche",
    "x",
  ])("%s is read back from the terminal's half blocks", text => {
    expect(decode(qrCode(text) ?? "")).toBe(text);
  });

  it("has four light modules around it, whatever the terminal's background", () => {
    const { rows } = rasterise(qrCode(uri("k")) ?? "", 1);
    const width = rows[0]?.length ?? 0;
    expect(rows.every(row => row.length === width)).toBe(true);
    const light = "█".repeat(4);
    for (const row of rows) {
      expect(row.slice(0, 4).join("")).toBe(light);
      expect(row.slice(-4).join("")).toBe(light);
    }
    for (const row of [...rows.slice(0, 2), rows.at(-1) ?? []]) expect(new Set(row)).toEqual(new Set(["█"]));
  });

  it("fits a terminal of 80 columns with the longest URI of a node", () => {
    const { rows } = rasterise(
      qrCode(`${uri("f".repeat(64))};NID=${"n".repeat(64)};SID=MeteringTopology;PT=attic`) ?? "",
      1,
    );
    expect(rows[0]?.length).toBeLessThanOrEqual(80);
  });
});

const node = (nodeId: string, over: Partial<StatusNode> = {}): StatusNode => ({
  ref: { nodeId, sourceId: "MeteringTopology", partition: "attic" },
  name: "",
  type: "mbus.meter",
  state: "None",
  message: "",
  ...over,
});

const status = (over: Partial<Status> = {}): Status => ({
  name: "Cellar",
  version: "0.1.0",
  upSeconds: 3_700,
  connection: { phase: "online", jid: "isthmus-1@example.org/x", since: 0, reason: "" },
  registry: "registry.example.org",
  provisioning: "",
  nodes: [
    node("attic", { type: "mbus.line" }),
    node("heat-3", { name: "Heat", thing: { state: "claimable", uri: uri("a") } }),
    node("flow-1", { thing: { state: "claimed", owner: "owner@example.org" } }),
  ],
  ...over,
});

function print(one: Status, codes = false, json = false): string {
  let text = "";
  printStatus(
    one,
    createOutput(json, part => (text += part)),
    codes ? qrCode : undefined,
  );
  return text;
}

describe("the status", () => {
  it("says who is connected as whom, which services there are, and whose each node is", () => {
    const lines = print(status()).split("\n");
    expect(lines.slice(0, 4)).toEqual([
      "Cellar, Isthmus 0.1.0, up 1 h 1 min",
      "broker        online as isthmus-1@example.org/x",
      "registry      registry.example.org",
      "provisioning  not found",
    ]);
    expect(lines.find(line => line.startsWith("attic"))).toContain("the appliance's");
    expect(lines.find(line => line.startsWith("heat-3"))).toContain("claimable");
    expect(lines.find(line => line.startsWith("flow-1"))).toContain("claimed by owner@example.org");
  });

  it("says in the words of the labels that a thing is not registered yet", () => {
    const text = print(status({ nodes: [node("heat-9", { thing: { state: "unregistered" } })] }));
    expect(text).toMatch(/^heat-9 .* not registered yet$/m);
  });

  it("says why there is no connection", () => {
    const connection = { phase: "waiting", jid: "", since: 0, reason: "the broker refuses the password" };
    expect(print(status({ connection }))).toContain("broker        waiting: the broker refuses the password\n");
  });

  it("shows a code for what can be claimed and for nothing else", () => {
    let text = "";
    printCodes(
      status().nodes,
      createOutput(false, part => (text += part)),
      qrCode,
    );
    const lines = text.trim().split("\n");
    expect(lines.slice(0, 2)).toEqual(["To claim heat-3 (attic), Heat:", uri("a")]);
    expect(decode(lines.slice(2).join("\n"))).toBe(uri("a"));
    expect(print(status(), true)).toContain(uri("a"));
    expect(print(status(), false)).not.toContain("iotdisco");
    expect(print(status(), true, true)).toBe("");
  });

  it("URI-SEC-04: pictures of level M, version 20 at most, read back to the letter; what is longer is text alone", () => {
    const shown = (length: number) => {
      let text = "";
      const thing = { state: "registered", owner: undefined, uri: `${uri("k")};A=${"x".repeat(length)}` };
      printCodes(
        [node("heat-3", { thing })],
        createOutput(false, part => (text += part)),
        qrCode,
      );
      const [, code = "", ...rest] = text.trim().split("\n");
      return { code, rest };
    };
    // ISO/IEC 18004, table 7: 666 octets in version 20 of level M.
    const fits = 666 - Buffer.byteLength(`${uri("k")};A=`);
    const picture = shown(fits);
    expect(decode(picture.rest.join("\n"))).toBe(picture.code);
    // 97 modules, four on each side, and half of them in a line.
    expect(picture.rest).toHaveLength(Math.ceil((97 + 8) / 2));
    for (const length of [fits + 80, 4_000]) {
      const { code, rest } = shown(length);
      expect(code).toHaveLength(uri("k").length + 3 + length);
      expect(rest).toEqual(["This code is too long for a picture: type or send it as text."]);
    }
  });

  it("what peers and devices say moves no cursor", () => {
    const nasty = "\u001b[2J\u202e";
    const text = print(
      status({
        name: nasty,
        registry: nasty,
        provisioning: nasty,
        connection: { phase: "waiting", jid: nasty, since: 0, reason: nasty },
        nodes: [node(nasty, { name: nasty, message: nasty, thing: { state: "claimed", owner: nasty } })],
      }),
    );
    expect(text).not.toMatch(/[\u001b\u202e]/);
    expect(text.match(/\\u\{1b\}/g)).toHaveLength(9);
  });

  it.each([
    [0, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3_599, "59 min"],
    [3_600, "1 h 0 min"],
    [86_399, "23 h 59 min"],
    [86_400, "1 d 0 h"],
    [86_400 * 800 + 7_200, "800 d 2 h"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

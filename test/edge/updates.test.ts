// Software packages from a real https server with a certificate authority of its own, signed with a real key: what is taken,
// what is refused, and what is left on the disk.

import { createSign, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createPlainServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { isPrivateAddress } from "#edge/private-address.ts";
import { createUpdates, isFileName } from "#edge/updates.ts";
import type { PackageInfo } from "#iot/software.wire.ts";
import { createAuthority } from "#lab/certificates.ts";
import { downloadDelayMsMax } from "#limits.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const content = Buffer.from("the whole of the new software\n".repeat(5_000));
const sign = (bytes: Buffer, key = privateKey) => createSign("sha256").update(bytes).sign(key, "base64");

let home: Awaited<ReturnType<typeof temporaryFolder>>;
let ca: string;
let server: Server;
let port: number;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let requests: string[];

beforeAll(async () => {
  home = await temporaryFolder();
  const authority = await createAuthority(`${home.path}/ca`, systemClock, forever);
  ca = authority.ca;
  const { certificatePath, keyPath } = await authority.issue({ hosts: ["localhost", "127.0.0.1"] });
  server = createServer({ cert: readFileSync(certificatePath), key: readFileSync(keyPath) }, (request, response) => {
    requests.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await home[Symbol.asyncDispose]();
});

let folder: string;
let clock: ManualClock;
let events: LogEvent[];
let said: string[];
/** Every wait that was begun. */
let slept: number[];
beforeEach(() => {
  folder = join(home.path, `updates-${requests?.length ?? 0}-${Math.random()}`);
  requests = [];
  events = [];
  said = [];
  slept = [];
  clock = manualClock();
  answer = (_, response) => response.end(content);
});

const start = (options: { hosts?: string[]; ca?: string[]; random?: () => number } = {}) => {
  const stop = new AbortController();
  const updates = createUpdates({
    folder,
    key: publicKey,
    ca: options.ca ?? [ca],
    hosts: options.hosts ?? ["localhost", "127.0.0.1"],
    delayMsMax: downloadDelayMsMax,
    announce: (kind, text) => said.push(`${kind} ${text}`),
    clock: {
      ...clock,
      sleep(ms, signal) {
        slept.push(ms);
        return clock.sleep(ms, signal);
      },
    },
    log: createLog(event => events.push(event)),
    random: options.random ?? (() => 0),
  });
  let ended = false;
  void updates.run(stop.signal).finally(() => {
    ended = true;
  });
  return {
    updates,
    async stop() {
      stop.abort();
      await until(() => ended);
    },
  };
};

/** The bytes move in real time, the waits in ours. */
async function until(holds: () => boolean | Promise<boolean>, step = 0): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never; said ${said.join(" | ")}`);
    await clock.advance(step);
    await new Promise(resolve => setImmediate(resolve));
  }
}

const offer = (more: Partial<PackageInfo> = {}): PackageInfo => ({
  fileName: "isthmus.pkg",
  signature: sign(content),
  published: 2_000,
  supersedes: undefined,
  created: 1_000,
  url: `https://127.0.0.1:${port}/isthmus.pkg`,
  bytes: content.length,
  ...more,
});
const files = () => readdirSync(folder).sort();
const refusal = async (info: PackageInfo, options = {}): Promise<string> => {
  const { updates, stop } = start(options);
  updates.told(info);
  await until(() => said.length > 0);
  await stop();
  expect(updates.ready).toBeUndefined();
  expect(files()).toEqual([]);
  return said[0] ?? "";
};

describe("software updates", () => {
  it("SWU-CLI-04, SWU-CLI-08: what is signed by the manufacturer is kept and announced, and nothing is installed", async () => {
    const { updates, stop } = start();
    updates.told(offer());
    await until(() => updates.ready !== undefined);
    expect(readFileSync(join(folder, "isthmus.pkg")).equals(content)).toBe(true);
    expect(statSync(join(folder, "isthmus.pkg")).mode & 0o111).toBe(0);
    expect(files()).toEqual(["isthmus.pkg", "ready.json"]);
    expect(said).toEqual([
      "ready The software update isthmus.pkg of 1970-01-01 is downloaded and waits to be installed.",
    ]);
    await stop();
    expect(start().updates.ready).toMatchObject({ fileName: "isthmus.pkg", published: 2_000 });
  });

  it("SWU-CLI-04: a signature of somebody else, or of other bytes, is the end of it", async () => {
    expect(await refusal(offer({ signature: sign(content, stranger.privateKey) }))).toContain("signature");
    said = [];
    expect(await refusal(offer({ signature: sign(Buffer.from("other")) }))).toContain("signature");
    expect(events.map(one => one.event)).toContain("update-refused");
  });

  it("SWU-CLI-03: a name that is no single file name is refused before anything is fetched", async () => {
    const bad = [
      "../isthmus.pkg",
      "a/b",
      "a\\b",
      "c:x",
      ".",
      "..",
      "",
      "a\u0000b",
      "a\nb",
      "x".repeat(256),
      "ready.json",
      "a.part",
    ];
    expect(bad.filter(isFileName)).toEqual([]);
    expect(["isthmus-arm64_1.2.pkg", "ä".repeat(127)].every(isFileName)).toBe(true);
    expect(await refusal(offer({ fileName: "../../etc/cron.d/x" }))).toContain("file name");
    expect(requests).toEqual([]);
  });

  it("SWU-CLI-05: more bytes than announced, fewer, or too many to take are refused", async () => {
    expect(await refusal(offer({ bytes: 10 }))).toContain("instead of 10");
    said = [];
    answer = (_, response) => {
      response.write(content);
      response.end(content);
    };
    expect(await refusal(offer())).toContain("more than");
    said = [];
    expect(await refusal(offer({ bytes: 2 ** 40 }))).toContain("more than is taken");
    said = [];
    expect(await refusal(offer({ bytes: 0 }))).toContain("empty");
  });

  it("SWU-CLI-05, SWU-CLI-11: nothing older than what runs or lies there, and nothing twice", async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "installed.json"), JSON.stringify(offer({ published: 5_000 })));
    const { updates, stop } = start();
    updates.told(offer({ published: 4_999 }));
    updates.told(offer({ published: 5_000, signature: sign(Buffer.from("other")) }));
    await clock.advance(1_000);
    expect(requests).toEqual([]);
    const info = offer({ published: 6_000 });
    updates.told(info);
    await until(() => updates.ready !== undefined);
    updates.told(info);
    updates.told(offer({ published: 5_500 }));
    await clock.advance(1_000);
    expect(requests).toHaveLength(1);
    await stop();
  });

  it("SWU-CLI-06: https and nothing else, with a certificate that is valid, and not into somebody's house", async () => {
    expect(await refusal(offer({ url: `http://127.0.0.1:${port}/x` }))).toContain("only https");
    for (const url of ["ftp://127.0.0.1/x", "file:///etc/passwd", "no address"]) {
      said = [];
      expect(await refusal(offer({ url }))).toMatch(/only https|is none/);
    }
    said = [];
    expect(await refusal(offer(), { hosts: ["broker.example"] })).toContain("private address");
    said = [];
    expect(await refusal(offer({ url: `https://localhost:${port}/x` }), { hosts: ["broker.example"] })).toContain(
      "private address",
    );
    expect(requests).toEqual([]);
  });

  it("SWU-CLI-06: a redirection does not lead to another scheme or into the house, nor for ever", async () => {
    const plain = createPlainServer((_, response) => response.end(content));
    await new Promise<void>(resolve => plain.listen(0, "127.0.0.1", resolve));
    const plainPort = (plain.address() as AddressInfo).port;
    const to = (location: string) => {
      answer = (_, response) => response.writeHead(302, { location }).end();
    };
    to(`http://127.0.0.1:${plainPort}/x`);
    expect(await refusal(offer())).toContain("only https");
    said = [];
    to("https://192.168.1.1/x");
    expect(await refusal(offer())).toContain("private address");
    said = [];
    to("/again");
    expect(await refusal(offer())).toContain("redirections");
    answer = (request, response) =>
      request.url === "/there" ? response.end(content) : response.writeHead(307, { location: "/there" }).end();
    const { updates, stop } = start();
    updates.told(offer({ published: 9_000 }));
    await until(() => updates.ready !== undefined);
    await stop();
    await new Promise(resolve => plain.close(resolve));
  });

  it("SWU-CLI-06: a certificate nobody vouches for is no server of ours: tried again, never trusted", async () => {
    const { updates, stop } = start({ ca: [] });
    updates.told(offer());
    await until(() => events.some(one => one.event === "update-not-downloaded"));
    expect(String(events.find(one => one.event === "update-not-downloaded")?.facts.error)).toMatch(/certificate/);
    expect(updates.ready).toBeUndefined();
    await stop();
    expect(files()).toEqual([]);
  });

  it("SWU-CLI-07: the server's fault is tried again, later each time; ours is not", async () => {
    let count = 0;
    answer = (_, response) => {
      count++;
      if (count < 4) response.writeHead(503).end();
      else response.end(content);
    };
    const { updates, stop } = start({ random: () => 1 });
    updates.told(offer());
    await until(() => updates.ready !== undefined, 10_000);
    const isBound = (ms: number) => ms === 600_000 || ms < 6 * 3_600_000;
    expect(slept.filter(isBound)).toEqual([600_000, 300_000, 600_000, 1_200_000]);
    await stop();
    answer = (_, response) => response.writeHead(404).end();
    said = [];
    const other = start();
    const gone = offer({ published: 9_000 });
    other.updates.told(gone);
    await until(() => said.length > 0);
    expect(said[0]).toContain("404");
    other.updates.told(gone);
    const before = requests.length;
    await clock.advance(86_400_000);
    expect(requests).toHaveLength(before);
    await other.stop();
  });

  it("SWU-CLI-10: what is withdrawn is removed before it is installed, also while it is coming", async () => {
    const { updates, stop } = start();
    updates.told(offer());
    await until(() => updates.ready !== undefined);
    updates.deleted(offer());
    expect(updates.ready).toBeUndefined();
    expect(files()).toEqual([]);
    let open = 0;
    answer = (_, response) => {
      open++;
      response.write(content.subarray(0, 100));
    };
    updates.told(offer({ published: 9_000 }));
    await until(() => open === 1);
    updates.deleted(offer({ published: 9_000 }));
    await until(() => !existsSync(join(folder, "isthmus.pkg.part")));
    await stop();
    expect(files()).toEqual([]);
  });

  it("SWU-CLI-09, SWU-CLI-11: the newer of two replaces the one being fetched; a fleet does not come at once", async () => {
    const { updates, stop } = start({ random: () => 0.5 });
    updates.told(offer({ published: 2_000, url: `https://127.0.0.1:${port}/older` }));
    await clock.advance(299_000);
    expect(requests).toEqual([]);
    updates.told(offer({ published: 3_000, url: `https://127.0.0.1:${port}/newer` }));
    await until(() => updates.ready !== undefined, 1_000);
    expect(requests).toEqual(["/newer"]);
    await stop();
  });
});

it("SWU-CLI-06: addresses of houses, in either form", () => {
  const inside = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.0.1",
    "169.254.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "::1",
    "fe80::1",
    "fd00::1",
    "::ffff:10.0.0.1",
  ];
  expect(inside.filter(one => !isPrivateAddress(one))).toEqual([]);
  expect(["9.9.9.9", "172.32.0.1", "2620:fe::fe"].filter(isPrivateAddress)).toEqual([]);
});

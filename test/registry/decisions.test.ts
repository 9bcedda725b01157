// Decision support through its stanzas: who is let in, what is granted, in which words, and what the owner is asked.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { elements, format } from "#xml/element.ts";
import {
  ana,
  anaFull,
  bob,
  canRead,
  claimedMeter,
  disco,
  gateway,
  gatewayFull,
  lastQuestion,
  meter,
  meterTags,
  mine,
  openPipe,
  outcome,
  owning,
  type Pipe,
  payloadText,
  provisioning,
  register,
} from "./pipe.ts";

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const nd = `<nd ${meter}/>`;
const carol = "carol@city.example";
const isFriend = async (caller: string, from = gatewayFull) =>
  payloadText(await pipe.iq("get", from, `<isFriend xmlns='${provisioning}' jid='${caller}'/>`));
const canControl = async (inner: string, caller = bob, ns = provisioning) =>
  payloadText(await pipe.iq("get", gatewayFull, `<canControl xmlns='${ns}' jid='${caller}'>${inner}</canControl>`));
const read = async (...args: Parameters<typeof canRead> extends [Pipe, ...infer R] ? R : never) =>
  payloadText(await canRead(pipe, ...args));
const refused = (caller = bob) => `<canReadResponse xmlns='${provisioning}' jid='${caller}' result='false'/>`;
const questions = () => pipe.messagesTo(ana).length;

/** Ana answers the newest question. */
async function answer(kind: string, inner: string, result = true, range = ""): Promise<string> {
  const { key, element } = lastQuestion(pipe);
  const { jid, remoteJid } = element.attrs;
  return outcome(
    await pipe.iq(
      "set",
      anaFull,
      `<${kind}Rule xmlns='${owning}' jid='${jid}' remoteJid='${remoteJid}' key='${key}' result='${result}' ${range}>${inner}</${kind}Rule>`,
    ),
  );
}
/** Claims another node for an owner. */
async function claimNode(id: string, owner = anaFull): Promise<void> {
  const tags = meterTags(id.padEnd(32, "k"));
  await register(pipe, `id='${id}'`, tags);
  expect(outcome(await mine(pipe, tags, "", owner))).toBe("result");
  await pipe.clock.advance(2_100);
}

describe("who is answered what", () => {
  it("PROV-EVAL-01: unknown, unclaimed and self-owned things are refused without a question", async () => {
    expect(await read()).toBe(refused());
    await register(pipe);
    expect(await read()).toBe(refused());
    expect(await isFriend(bob)).toContain("result='false'");
    await pipe.iq("set", gatewayFull, `<register xmlns='${disco}' ${meter} selfOwned='true'/>`);
    expect(await read()).toBe(refused());
    expect(await isFriend(bob)).toContain("result='false'");
    expect(pipe.sent.filter(text => text.startsWith("<message"))).toEqual([]);
  });

  it("PROV-EVAL-01: a device asks about its own things only: the same question from another JID is about nothing", async () => {
    await claimedMeter(pipe);
    const reply = await pipe.iq(
      "get",
      "gw7@hub.example/e",
      `<canRead xmlns='${provisioning}' jid='${ana}' m='true'>${nd}</canRead>`,
    );
    expect(payloadText(reply)).toContain("result='false'");
  });

  it("PROV-EVAL-02, PROV-RESP-01: the owner is granted all that was asked, in so many words", async () => {
    await claimedMeter(pipe);
    expect(await read(`${nd}<f n='Energy'/>`, ana)).toBe(
      `<canReadResponse xmlns='${provisioning}' jid='${ana}' result='true' m='true' h='true'>${nd}<f n='Energy'/></canReadResponse>`,
    );
    expect(await canControl(`${nd}<p n='Set'/>`, ana)).toBe(
      `<canControlResponse xmlns='${provisioning}' jid='${ana}' result='true'>${nd}<p n='Set'/></canControlResponse>`,
    );
    expect(questions()).toBe(0);
  });

  it("PROV-EVAL-02: an owner of any node is a friend of the whole JID", async () => {
    await claimedMeter(pipe);
    await register(pipe, "", meterTags("root".repeat(8)));
    await mine(pipe, meterTags("root".repeat(8)), "", `${carol}/x`);
    expect(await isFriend(ana)).toBe(`<isFriendResponse xmlns='${provisioning}' jid='${ana}' result='true'/>`);
    expect(await isFriend(carol)).toContain("result='true'");
  });

  it("PROV-EVAL-02: friendship is asked of the owner of the root, without one of the node claimed first", async () => {
    await claimedMeter(pipe);
    await claimNode("later", `${carol}/x`);
    await isFriend(bob);
    expect(questions()).toBe(1);
    expect(pipe.messagesTo(carol)).toEqual([]);
    await register(pipe, "", meterTags("root".repeat(8)));
    await mine(pipe, meterTags("root".repeat(8)), "", `${carol}/x`);
    await isFriend("dave@city.example");
    expect(pipe.messagesTo(carol)).toHaveLength(1);
    expect(questions()).toBe(1);
  });

  it("PROV-EVAL-06: without a rule: refused at once, and one question however often it is asked", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 5; n++) expect(await read()).toBe(refused());
    expect(questions()).toBe(1);
    expect(await canControl(nd)).toContain("result='false'");
    expect(questions()).toBe(2);
  });

  it("PROV-EVAL-03: a rule is for its device, node, kind and caller, and nothing else", async () => {
    await claimedMeter(pipe);
    await claimNode("other");
    await read();
    expect(await answer("canRead", "<fromJid/>")).toBe("result");
    expect(await read()).toContain("result='true'");
    expect(await read("<nd id='other'/>")).toBe(refused());
    expect(await read(`<nd id='mbus-12'/>`)).toBe(refused());
    expect(await read(nd, carol)).toBe(refused(carol));
    expect(await read(nd, "bob@sub.city.example")).toBe(refused("bob@sub.city.example"));
    expect(await canControl(nd)).toContain("result='false'");
    expect(await isFriend(bob)).toContain("result='false'");
    expect(await read(nd, "BOB@City.Example/phone")).toContain("result='true'");
  });

  it("PROV-EVAL-03: a question without node is about the root alone", async () => {
    await claimedMeter(pipe);
    expect(await read("")).toBe(refused());
    expect(questions()).toBe(0);
    await register(pipe, "", meterTags("root".repeat(8)));
    await mine(pipe, meterTags("root".repeat(8)));
    await read("");
    expect(await answer("canRead", "<fromJid/>")).toBe("result");
    expect(await read("")).toBe(
      `<canReadResponse xmlns='${provisioning}' jid='${bob}' result='true' m='true' h='true'/>`,
    );
    expect(await read()).toBe(refused());
  });

  it("PROV-EVAL-03: a domain is that domain, no domain below it", async () => {
    await claimedMeter(pipe);
    await read();
    await answer("canRead", "<fromDomain/>");
    expect(await read(nd, carol)).toContain("result='true'");
    expect(await read(nd, "x@sub.city.example")).toContain("result='false'");
    expect(await read(nd, "x@evilcity.example")).toContain("result='false'");
  });

  it("PROV-EVAL-04: caller before domain before all; the first level that has a rule decides", async () => {
    await claimedMeter(pipe);
    await read(nd, "first@away.example");
    await answer("canRead", "<all/>");
    expect(await read()).toContain("result='true'");
    // From here on rules exist for all; narrower ones are put beside them, as questions of earlier times would.
    const thing = await pipe.store.thing(gateway, { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" });
    const put = (kind: "domain" | "caller", value: string, allow: boolean) =>
      pipe.store.change(records =>
        records.putRule(
          thing?.id ?? 0,
          "read",
          { origin: { kind, value }, allow, categories: 63, names: undefined },
          "k",
          0,
        ),
      );
    await put("domain", "city.example", false);
    expect(await read()).toBe(refused());
    expect(await read(nd, "x@away.example")).toContain("result='true'");
    await put("caller", bob, true);
    expect(await read()).toContain("result='true'");
    expect(await read(nd, carol)).toBe(refused(carol));
    expect(questions()).toBe(1);
  });

  it("PROV-EVAL-04: a later answer replaces the earlier one for the same caller", async () => {
    await claimedMeter(pipe);
    await read();
    await answer("canRead", "<fromJid/>");
    await answer("canRead", "<fromJid/>", false);
    expect(await read()).toBe(refused());
    expect(await pipe.store.countRules(1)).toBe(1);
  });

  it("PROV-EVAL-05: granted is what was asked and allowed; nothing left is a refusal without a question", async () => {
    await claimedMeter(pipe);
    await read(`${nd}<f n='Energy'/><f n='Flow'/>`);
    await answer("canRead", `${nd}<partial m='true'><f n='Energy'/></partial><fromJid/>`);
    const asked = questions();
    expect(await read(`${nd}<f n='Energy'/><f n='Flow'/>`)).toBe(
      `<canReadResponse xmlns='${provisioning}' jid='${bob}' result='true' m='true'>${nd}<f n='Energy'/></canReadResponse>`,
    );
    // All fields asked, one allowed: it is named.
    expect(await read()).toBe(
      `<canReadResponse xmlns='${provisioning}' jid='${bob}' result='true' m='true'>${nd}<f n='Energy'/></canReadResponse>`,
    );
    expect(await read(`${nd}<f n='Flow'/>`)).toBe(refused());
    expect(await read(nd, bob, "h='true'")).toBe(refused());
    expect(await read(nd, bob, "")).toBe(refused());
    expect(questions()).toBe(asked);
  });

  it("PROV-EVAL-05: a refusal refuses everything, whatever partial says", async () => {
    await claimedMeter(pipe);
    await read();
    await answer("canRead", "<partial m='true'/><fromJid/>", false);
    expect(await read()).toBe(refused());
    expect(questions()).toBe(1);
  });

  it("PROV-EVAL-07: several nodes: those granted are named, with what all of them have in common", async () => {
    await claimedMeter(pipe);
    await claimNode("n2");
    await claimNode("n3");
    await claimNode("n4");
    const grant = async (id: string, partial: string) => {
      await read(`<nd id='${id}'/>`);
      expect(await answer("canRead", `${partial}<fromJid/>`)).toBe("result");
    };
    await grant("n2", "<partial m='true' h='true'><f n='A'/><f n='B'/></partial>");
    await grant("n3", "<partial m='true' p='true'><f n='B'/><f n='C'/></partial>");
    await grant("n4", "<partial s='true'/>");
    expect(await read(`<nd id='n2'/><nd id='n3'/><nd id='unknown'/>${nd}`, bob, "all='true'")).toBe(
      `<canReadResponse xmlns='${provisioning}' jid='${bob}' result='true' m='true'><nd id='n2'/><nd id='n3'/><f n='B'/></canReadResponse>`,
    );
    // A node that has nothing in common with those before it is left out, never lumped in.
    expect(await read("<nd id='n2'/><nd id='n4'/>", bob, "all='true'")).toBe(
      `<canReadResponse xmlns='${provisioning}' jid='${bob}' result='true' m='true' h='true'><nd id='n2'/><f n='A'/><f n='B'/></canReadResponse>`,
    );
  });

  it("PROV-EVAL-07: a neighbour's node in the same question is not granted with one's own", async () => {
    await claimedMeter(pipe);
    await claimNode("carols", `${carol}/x`);
    const reply = await read(`${nd}<nd id='carols'/>`, ana);
    expect(reply).toContain(nd);
    expect(reply).not.toContain("carols");
    expect(pipe.messagesTo(carol)).toHaveLength(1);
  });
});

describe("the words of the answer", () => {
  it("PROV-RESP-01: all is spelled out letter by letter", async () => {
    await claimedMeter(pipe);
    expect(await read(nd, ana, "all='true'")).toContain(
      "result='true' m='true' p='true' s='true' c='true' i='true' h='true'",
    );
  });

  for (const [form, child, expected] of [
    ["p", "<p n='Set'/>", "<p n='Set'/>"],
    ["parameter", "<parameter name='Set'/>", "<parameter name='Set'/>"],
    ["both", "<p n='Set'/><parameter name='Set'/>", "<p n='Set'/><parameter name='Set'/>"],
  ] as const)
    it(`PROV-RESP-02: parameters asked as ${form} are answered as ${form}, so that some never becomes all`, async () => {
      await claimedMeter(pipe);
      await canControl(nd);
      await answer("canControl", `<partial><p n='Set'/></partial><fromJid/>`);
      expect(await canControl(nd + child)).toContain(`${nd}${expected}</canControlResponse>`);
      expect(await canControl(`${nd}${child.replaceAll("Set", "Other")}`)).toBe(
        `<canControlResponse xmlns='${provisioning}' jid='${bob}' result='false'/>`,
      );
    });

  it("PROV-RESP-02: parameters not named in the question: both forms to nf and ieee, p to nfi", async () => {
    await claimedMeter(pipe);
    await canControl(nd);
    await answer("canControl", `<partial><parameter name='Set'/></partial><fromJid/>`);
    for (const generation of ["nf", "ieee"])
      expect(await canControl(nd, bob, `urn:${generation}:iot:prov:d:1.0`)).toContain(
        "<p n='Set'/><parameter name='Set'/>",
      );
    expect(await canControl(nd, bob, "urn:nfi:iot:prov:d:1.0")).toContain(`${nd}<p n='Set'/></canControlResponse>`);
  });

  it("PROV-RESP-03: nodes before names, no white space, in the generation of the question", async () => {
    await claimedMeter(pipe);
    for (const generation of ["nfi", "nf", "ieee"]) {
      const ns = `urn:${generation}:iot:prov:d:1.0`;
      expect(await read(`<f n='A'/>${nd}`, ana, "m='true'", ns)).toBe(
        `<canReadResponse xmlns='${ns}' jid='${ana}' result='true' m='true'>${nd}<f n='A'/></canReadResponse>`,
      );
      expect(payloadText(await pipe.iq("get", gatewayFull, `<isFriend xmlns='${ns}' jid='${ana}'/>`))).toBe(
        `<isFriendResponse xmlns='${ns}' jid='${ana}' result='true'/>`,
      );
      expect(await canControl(`<p n='A'/>${nd}`, ana, ns)).toBe(
        `<canControlResponse xmlns='${ns}' jid='${ana}' result='true'>${nd}<p n='A'/></canControlResponse>`,
      );
    }
  });

  for (const [why, payload] of [
    ["isFriend without jid", `<isFriend xmlns='${provisioning}'/>`],
    ["a node without id", `<canRead xmlns='${provisioning}' jid='${bob}' m='true'><nd src='x'/></canRead>`],
    ["a field without name", `<canRead xmlns='${provisioning}' jid='${bob}' m='true'><f/></canRead>`],
    ["markup in a token", `<canRead xmlns='${provisioning}' jid='${bob}' m='true' st='a&lt;b'/>`],
    ["nine tokens", `<canRead xmlns='${provisioning}' jid='${bob}' m='true' ut='1 2 3 4 5 6 7 8 9'/>`],
  ] as const)
    it(`PROV section 2: ${why} is a bad request`, async () => {
      expect(outcome(await pipe.iq("get", gatewayFull, payload))).toBe("bad-request");
    });

  it("TOK-FWD-02: a token that nobody verified opens nothing, not even where a rule names it", async () => {
    await claimedMeter(pipe);
    const thing = await pipe.store.thing(gateway, { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" });
    const origin = { kind: "user" as const, value: "reg:abc" };
    await pipe.store.change(records =>
      records.putRule(thing?.id ?? 0, "read", { origin, allow: true, categories: 63, names: undefined }, "k", 0),
    );
    expect(await read(nd, bob, "m='true' ut='reg:abc'")).toBe(refused());
  });
});

describe("questions", () => {
  it("PROVO-Q-01, PROVO-Q-04, PROVO-Q-05: to the bare JID, with a sentence, to be stored, under a random key", async () => {
    await claimedMeter(pipe);
    await read(`${nd}<f n='Energy'/>`);
    const [message] = pipe.messagesTo(ana);
    expect(message?.attrs.type).toBeUndefined();
    const { key, element, body } = lastQuestion(pipe);
    expect(key).toMatch(/^[\w-]{22,}$/);
    expect(format(element)).toBe(
      `<canRead xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${key}' m='true' h='true'>${nd}<f n='Energy'/></canRead>`,
    );
    expect(body).toBe("bob@city.example wants to read mbus-12 of gw9@hub.example (Energy).");
    expect(elements(message as never).some(one => one.name === "store" && one.ns === "urn:xmpp:hints")).toBe(true);
    await read(nd, carol);
    expect(lastQuestion(pipe).key).not.toBe(key);
  });

  it.each([
    [
      "sv",
      "bob@city.example vill läsa av mbus-12 på gw9@hub.example (a wants to read b of c).",
      "bob@city.example vill se när gw9@hub.example är online.",
    ],
    [
      "de",
      "bob@city.example möchte mbus-12 von gw9@hub.example (a wants to read b of c) auslesen.",
      "bob@city.example möchte sehen, wann gw9@hub.example online ist.",
    ],
    [
      "es",
      "bob@city.example quiere leer mbus-12 de gw9@hub.example (a wants to read b of c).",
      "bob@city.example quiere ver cuándo gw9@hub.example está en línea.",
    ],
  ])(
    "PROVO-Q-05: the sentence is in the language of the operator's choice, %s, whatever strangers call things",
    async (language, reading, seeing) => {
      await using one = await openPipe({ language });
      await claimedMeter(one);
      await canRead(one, `${nd}<f n='a wants to read b of c'/>`);
      expect(lastQuestion(one).body).toBe(reading);
      await one.iq("get", gatewayFull, `<isFriend xmlns='${provisioning}' jid='${bob}'/>`);
      expect(lastQuestion(one).body).toBe(seeing);
    },
  );

  it("PROVO-Q-02: one question a node", async () => {
    await claimedMeter(pipe);
    await claimNode("n2");
    await read(`${nd}<nd id='n2'/>`);
    expect(pipe.messagesTo(ana).map(one => format(one).match(/<nd /g)?.length)).toEqual([1, 1]);
  });

  it("PROVO-Q-03: parameters direct; to an owner of the published generation in partial too", async () => {
    await claimedMeter(pipe);
    await canControl(`${nd}<parameter name='Set'/>`);
    expect(format(lastQuestion(pipe).element)).toContain(`${nd}<p n='Set'/></canControl>`);
    const nfi = "urn:nfi:iot:prov:o:1.0";
    await pipe.iq("get", anaFull, `<getDevices xmlns='${nfi}'/>`);
    expect(format(lastQuestion(pipe, ana, nfi).element)).toContain(`<p n='Set'/><partial><p n='Set'/></partial>`);
  });

  it("PROVO-Q-06, PROVO-Q-04: after getDevices open questions come again, under the same key", async () => {
    await claimedMeter(pipe);
    await read();
    const { key } = lastQuestion(pipe);
    await pipe.iq("get", anaFull, `<getDevices xmlns='${owning}'/>`);
    expect(questions()).toBe(2);
    expect(lastQuestion(pipe).key).toBe(key);
    await answer("canRead", "<fromJid/>");
    await pipe.iq("get", anaFull, `<getDevices xmlns='${owning}'/>`);
    expect(questions()).toBe(2);
  });

  it("PROVO-Q-06, PROVO-LIM-02: however often he looks, he is shown all that is open, and new ones reach him still", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 3; n++) await read(nd, `u${n}@hub.example`);
    for (let n = 1; n <= 12; n++) {
      await pipe.iq("get", anaFull, `<getDevices xmlns='${owning}'/>`);
      expect(questions()).toBe(3 + 3 * n);
    }
    await read(nd, "u9@hub.example");
    expect(questions()).toBe(3 + 3 * 12 + 1);
  });

  it("PROVO-Q-06: having looked takes nothing from the reminders", async () => {
    await claimedMeter(pipe);
    await read();
    for (let n = 1; n <= 6; n++) await pipe.iq("get", anaFull, `<getDevices xmlns='${owning}'/>`);
    const before = questions();
    await pipe.clock.advance(86_400_001);
    await read();
    expect(questions()).toBe(before + 1);
  });

  it("PROVO-Q-06: an owner who comes online is asked again, though not each time he does", async () => {
    await claimedMeter(pipe);
    await read();
    await pipe.comesOnline(anaFull);
    expect(questions()).toBe(1);
    await pipe.presence(anaFull, "unavailable");
    await pipe.clock.advance(3_600_001);
    await pipe.presence(anaFull);
    expect(questions()).toBe(2);
  });

  it("PROVO-Q-06: questions survive a restart, and their keys are good for an answer", async () => {
    await claimedMeter(pipe);
    await read();
    await pipe.restart();
    expect(await answer("canRead", "<fromJid/>")).toBe("result");
    expect(await read()).toContain("result='true'");
  });

  it("PROVO-Q-05: what the owner's broker gives back is asked again when the owner is seen", async () => {
    await claimedMeter(pipe);
    await read();
    await pipe.message(ana, format(lastQuestion(pipe).element), "error");
    await pipe.comesOnline(anaFull);
    expect(questions()).toBe(2);
  });

  it("PROVO-Q-07: before its first delivery a question takes in what else is asked", async () => {
    await claimedMeter(pipe);
    // More than may be sent to one owner at once: the last wait.
    for (let n = 0; n < 4; n++) await claimNode(`b${n}`);
    for (let n = 0; n < 20; n++) await read(`<nd id='b${n % 4}'/>`, `u${n}@hub.example`);
    expect(questions()).toBe(20);
    await read(`${nd}<f n='Energy'/>`, bob, "m='true'");
    await read(`${nd}<f n='Flow'/>`, bob, "h='true'");
    expect(questions()).toBe(20);
    await pipe.clock.advance(7 * 60_000);
    expect(questions()).toBe(21);
    const sent = format(lastQuestion(pipe).element);
    expect(sent).toContain("m='true' h='true'");
    expect(sent).toContain("<f n='Energy'/><f n='Flow'/>");
    await read(`${nd}<f n='Power'/>`);
    expect((await pipe.store.question(lastQuestion(pipe).key))?.names).toEqual(["Energy", "Flow"]);
  });

  it("PROV life cycle: asked again after a day, five times at most; after 90 days the key is dead", async () => {
    await claimedMeter(pipe);
    await read();
    const { key } = lastQuestion(pipe);
    for (let day = 0; day < 8; day++) {
      await pipe.clock.advance(86_400_000);
      await read();
      await read();
    }
    expect(questions()).toBe(5);
    expect(lastQuestion(pipe).key).toBe(key);
    await pipe.clock.advance(83 * 86_400_000);
    const late = `<canReadRule xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${key}' result='true'><fromJid/></canReadRule>`;
    expect(outcome(await pipe.iq("set", anaFull, late))).toBe("item-not-found");
    await read();
    expect(lastQuestion(pipe).key).not.toBe(key);
  });
});

describe("limits", () => {
  it("PROVO-LIM-01: ten open questions a node, five of a foreign domain to one owner, and one notice a day", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 6; n++) await read(nd, `u${n}@city.example`);
    const notices = () =>
      pipe
        .messagesTo(ana)
        .filter(one => format(one).includes("come than are shown") || format(one).includes("came than are shown"));
    expect(questions() - notices().length).toBe(5);
    expect(notices()).toHaveLength(1);
    for (let n = 0; n < 6; n++) await read(nd, `v${n}@hub.example`);
    expect(questions() - notices().length).toBe(10);
    expect(notices()).toHaveLength(1);
    // The round that looks for it comes once an hour.
    await pipe.clock.advance(25 * 3_600_000);
    expect(notices()).toHaveLength(2);
    expect(format(notices()[1] as never)).toContain("1 more request about");
  });

  it("PROVO-LIM-01: fifty open questions an owner", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 6; n++) await claimNode(`n${n}`);
    let asked = 0;
    for (let n = 0; n < 6; n++)
      for (let u = 0; u < 10; u++) {
        if (++asked > 50) await pipe.clock.advance(3_600_000);
        await read(`<nd id='n${n}'/>`, `u${u}@hub.example`);
      }
    expect(await pipe.store.countOpen({ owner: ana })).toBe(50);
  });

  it("PROVO-LIM-02: twenty at once to one owner, then ten an hour", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 3; n++) await claimNode(`n${n}`);
    for (let n = 0; n < 3; n++) for (let u = 0; u < 10; u++) await read(`<nd id='n${n}'/>`, `u${u}@hub.example`);
    expect(questions()).toBe(20);
    await pipe.clock.advance(3_660_000);
    expect(questions()).toBe(30);
  });

  it("PROVO-LIM-03: sixty an hour on behalf of one device", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 8; n++) await claimNode(`n${n}`, `owner${n}@home.example/x`);
    for (let n = 0; n < 8; n++) for (let u = 0; u < 9; u++) await read(`<nd id='n${n}'/>`, `u${u}@hub.example`);
    let open = 0;
    for (let n = 0; n < 8; n++) open += await pipe.store.countOpen({ owner: `owner${n}@home.example` });
    expect(open).toBe(60);
  });

  it("PROVO-LIM-03: six hundred an hour on behalf of one foreign domain, over all owners and devices", async () => {
    // Five of that domain an owner, sixty a device: a hundred and twenty-one owners with their things on eleven devices.
    const owners = 121;
    await pipe.store.change(async records => {
      for (let n = 0; n < owners; n++) {
        const ref = { nodeId: `n${n}`, sourceId: "", partition: "" };
        await records.insertThing(`dev${n % 11}@hub.example`, ref, "private", `o${n}@home.example`, undefined, 0);
      }
    });
    const asks = async (n: number, caller: string) => {
      const canReadOf = `<canRead xmlns='${provisioning}' jid='${caller}' m='true'><nd id='n${n}'/></canRead>`;
      await pipe.iq("get", `dev${n % 11}@hub.example/e`, canReadOf);
      return pipe.store.countOpen({ owner: `o${n}@home.example` });
    };
    for (let n = 0; n < owners - 1; n++) {
      for (let m = 0; m < 5; m++) await asks(n, `c${m}@many.example`);
      expect(await pipe.store.countOpen({ owner: `o${n}@home.example` })).toBe(5);
    }
    const last = owners - 1;
    // The last device has been asked on behalf of fewer: it is the domain that is spent.
    expect(await asks(last, "c9@many.example")).toBe(0);
    expect(await asks(last, "c@other.example")).toBe(1);
    expect(await asks(last, "c@hub.example")).toBe(2);
    await pipe.clock.advance(6_000);
    expect(await asks(last, "c9@many.example")).toBe(3);
    expect(await asks(last, "c8@many.example")).toBe(3);
  }, 60_000);

  it("PROVO-LIM-04: names longer than 256 characters are not put before an owner; hidden characters are written out", async () => {
    await claimedMeter(pipe);
    await read(`${nd}<f n='${"x".repeat(257)}'/>`);
    expect(questions()).toBe(0);
    await read(`${nd}<f n='Ene\u202Ergy'/>`);
    expect(lastQuestion(pipe).body).toContain("(Ene\\u{202e}rgy)");
  });
});

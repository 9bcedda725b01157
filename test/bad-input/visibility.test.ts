// What somebody may not see is, to the last byte, what is not there; no answer to him names anything else that is hidden; and
// what others opened (forms, queries, sniffers, subscriptions, readouts) is not his to end or to use.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generationNames, namespace } from "#iot/generations.ts";
import { parse } from "#xml/parser.ts";
import { type Answer, type Appliance, answerOf, contact, owner, startAppliance, tenant } from "./appliance.ts";
import { formOf, namespacesOf, type Operation, operations, requestOf } from "./operations.ts";

let appliance: Appliance;
let before: string;

beforeAll(async () => {
  appliance = await startAppliance();
  before = appliance.state();
});
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]();
});

/** Nodes that the tenant does not see; "absent" is not there at all. */
const hidden = ["hidden", "attic", "site", "tap", "board"];

const naming = (one: Operation, ns: string, id: string): string[] => {
  const src = id === "board" ? { src: "Appliance" } : {};
  if (one.where === "attributes") return [requestOf(one, ns, { nodes: [id], ...src })];
  if (one.where !== "children" || id === "board") return [];
  return [[id], ["own", id], [id, "own"]].map(nodes => requestOf(one, ns, { nodes }));
};

describe("COM-ERR-02: what the asker may not see", () => {
  const about = operations.filter(({ where, stranger }) => where !== undefined && stranger === undefined);

  it("is spoken of in most operations", () => {
    expect(about.length).toBeGreaterThan(40);
  });

  for (const one of about) {
    for (const ns of namespacesOf(one)) {
      it(`is what is not there: ${one.name} in ${ns}`, async () => {
        const said = async (xml: string) => {
          const answers: Answer[] = [];
          for (const type of one.types) answers.push(await appliance.ask(type, xml, tenant));
          for (const { text } of answers) expect(text).not.toMatch(/beside|swordfish/);
          return answers;
        };
        for (const id of one.where === "source" ? [] : hidden) {
          for (const xml of naming(one, ns, id)) {
            // The same request with the name of what is not there: of the same length, since lengths show too.
            const name = "#".repeat(id.length);
            const other = xml.replaceAll(` id='${id}'`, ` id='${name}'`);
            expect(other).not.toBe(xml);
            const [these, those] = [await said(xml), await said(other)];
            expect(these.map(({ text }) => text.replaceAll(id, name))).toEqual(those.map(({ text }) => text));
            if (one.unknownNode === undefined) {
              for (const { condition } of these) expect(condition, xml).toBe("cancel item-not-found");
            }
          }
        }
        const [there, nowhere] = ["Appliance", "Nonexists"].map(src =>
          requestOf(one, ns, { src, ...(one.where === "children" ? { nodes: ["board"] } : {}) }),
        ) as [string, string];
        const texts = async (xml: string) => (await said(xml)).map(({ text }) => text);
        expect((await texts(there)).map(text => text.replaceAll("Appliance", "Nonexists"))).toEqual(
          await texts(nowhere),
        );
        expect(appliance.state()).toBe(before);
        expect(appliance.sent.splice(0)).toEqual([]);
      });
    }
  }

  it("is not in any list he is given", async () => {
    for (const generation of generationNames) {
      const ns = namespace("concentrator", generation);
      const lists = [
        "getAllDataSources",
        "getRootDataSources",
        "getAllNodes",
        "getRootNodes",
        "getChildNodes id='own'",
        "getAncestors id='own' parameters='true' messages='true'",
        "getNode id='own' parameters='true' messages='true'",
        "getNodeCommands id='own'",
        "getNodeInheritance id='own'",
      ];
      for (const list of lists) {
        const { text, condition } = await appliance.ask(
          "get",
          `<${list} xmlns='${ns}' src='MeteringTopology'/>`,
          tenant,
        );
        expect(condition, list).toBe("");
        expect(text, list).not.toMatch(/hidden|beside|tap|site|board|Appliance/);
      }
    }
  });
});

describe("COM-ERR-01: what somebody else opened", () => {
  const con = namespace("concentrator", "nf");
  const ask = (type: string, xml: string, from: string) => appliance.ask(type, xml, from);

  it("DF-DYN-02: a form's session is worth nothing to others, and is not told from none at all", async () => {
    const { text } = await ask("get", `<getParametersForNewNode xmlns='${con}' id='site' type='test.gauge'/>`, owner);
    const session = /<field var='xdd session'[^>]*><value>([^<]+)</.exec(text)?.[1] as string;
    expect(session).toMatch(/^[0-9a-f]{32}$/);
    for (const name of ["submit", "cancel"]) {
      const with_ = (id: string) =>
        `<${name} xmlns='urn:xmpp:xdata:dynamic'>${formOf({ "xdd session": id, NodeId: "x" })}</${name}>`;
      for (const from of [tenant, contact, `${owner}2`]) {
        const his = await ask("set", with_(session), from);
        const none = await ask("set", with_("0".repeat(32)), from);
        expect([his.condition, his.text]).toEqual(["cancel item-not-found", none.text]);
      }
    }
    const post = `<submit xmlns='urn:xmpp:xdata:dynamic'>${formOf({ "xdd session": session })}</submit>`;
    expect((await ask("set", post, owner)).name).toBe("x");
  });

  it("CON-ABORT-01: a query is aborted by who started it, and to others it is not there", async () => {
    const query = `id='tap' src='MeteringTopology' command='Listen' queryId='secret-7'`;
    expect((await ask("set", `<executeNodeQuery xmlns='${con}' ${query}/>`, owner)).name).toBe("result");
    const abort = (id: string, command = "Listen") =>
      `<abortNodeQuery xmlns='${con}' id='tap' command='${command}' queryId='${id}'/>`;
    const his = await ask("set", abort("secret-7"), contact);
    expect([his.condition, his.text]).toEqual([
      "cancel item-not-found",
      (await ask("set", abort("secret-8"), contact)).text,
    ]);
    expect((await ask("set", abort("secret-7", "ReadNow"), owner)).condition).toBe("cancel item-not-found");
    expect((await ask("set", abort("secret-7"), owner)).name).toBe("result");
  });

  it("EV-SUB-01: ids of subscriptions and readouts are each asker's own", async () => {
    const [sd, ev] = [namespace("sensorData", "nf"), namespace("events", "nf")];
    const subscribe = `<subscribe xmlns='${ev}' id='mine' m='true'><nd id='hidden'/></subscribe>`;
    expect((await ask("set", subscribe, owner)).name).toBe("accepted");
    for (const from of [tenant, contact, `${owner}2`]) {
      const refused = await ask("set", `<unsubscribe xmlns='${ev}' id='mine'/>`, from);
      expect(refused.condition).toBe("cancel item-not-found");
      expect((await ask("set", `<cancel xmlns='${sd}' id='mine'/>`, from)).name).toBe("result");
    }
    expect((await ask("set", `<unsubscribe xmlns='${ev}' id='mine'/>`, owner)).name).toBe("result");
  });

  it("CON-SNIFF-03: a sniffer's id is not to be guessed, and not to be used on another node", async () => {
    const { payload } = await ask("set", `<registerSniffer xmlns='${con}' id='tap'/>`, owner);
    const id = payload?.attrs.snifferId as string;
    const away = (node: string, sniffer: string) =>
      `<unregisterSniffer xmlns='${con}' id='${node}' snifferId='${sniffer}'/>`;
    expect((await ask("set", away("own", id), tenant)).text).toBe(
      (await ask("set", away("own", "0".repeat(32)), tenant)).text,
    );
    expect((await ask("set", away("tap", id), tenant)).condition).toBe("cancel item-not-found");
    expect((await ask("set", away("tap", id), contact)).condition).toBe("auth forbidden");
    expect((await ask("set", away("tap", id), owner)).name).toBe("result");
  });
});

describe("COM-STZ-04: the requests the table makes its attacks of", () => {
  for (const one of operations) {
    for (const ns of namespacesOf(one)) {
      it(`are taken as they stand: ${one.name} in ${ns}`, async () => {
        await using fresh = await startAppliance();
        const { from = owner } = one;
        let id = "";
        const taken = async (each: Operation) => {
          const xml = requestOf(each, ns)
            .replace("$id", id)
            .replace("$session", await sessionIn(fresh, each));
          const answer = await fresh.ask(each.types.at(-1) as string, xml, from);
          id = answer.payload?.attrs.snifferId ?? id;
          expect(answer.condition, answer.text).toBe(each.taken ?? "");
        };
        for (const each of [...(one.before ?? []), one]) await taken(each);
      });
    }
  }

  async function sessionIn(fresh: Appliance, { family }: Operation): Promise<string> {
    if (family !== "urn:xmpp:xdata:dynamic") return "";
    const ns = namespace("concentrator", "nf");
    const { text } = await fresh.ask("get", `<getParametersForNewNode xmlns='${ns}' id='site' type='test.gauge'/>`);
    return /<field var='xdd session'[^>]*><value>([^<]+)</.exec(text)?.[1] as string;
  }
});

it("COM-STZ-11: without a sender, or from one that is none, nothing is done", async () => {
  for (const from of [undefined, "", "@", "a b@c", "x".repeat(4_000)]) {
    const request = parse("<getCapabilities xmlns='urn:nf:iot:concentrator:1.0'/>");
    await appliance.router.iq({
      name: "iq",
      ns: "jabber:client",
      attrs: { type: "get", id: "unsigned", ...(from === undefined ? {} : { from }) },
      children: [request],
    });
    const [reply] = appliance.replies.get("unsigned") ?? [];
    appliance.replies.delete("unsigned");
    expect(reply && answerOf(reply).condition).toBe("auth forbidden");
  }
});

// What is said on the wire in the language of who asked: names and messages of nodes, and why something was refused.

import { describe, expect, it } from "vitest";
import { createLog } from "#base/log.ts";
import { createLanguages } from "#contract/language.ts";
import { createNodes } from "#iot/nodes.ts";
import { createAllLanguages } from "#languages/all.ts";
import { type Element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createRouter } from "#xmpp/router.ts";
import { quantity, scene, telling } from "../../concentrator/scene.ts";

const ns = "urn:nf:iot:concentrator:1.0";

function serve(standard = "en") {
  const site = scene();
  site.plans.set("warm", telling(quantity("Temperature", 21)));
  site.add("sim.line", "attic");
  site.add("test.device", "room-1", { plan: "warm" });
  const languages = createAllLanguages(standard);
  const stop = new AbortController();
  const replies: Element[] = [];
  const router = createRouter({
    routes: createNodes({ concentrator: site.concentrator, languages }).routes,
    messages: [],
    gate: () => true,
    reply: stanza => replies.push(stanza),
    languages,
    clock: site.clock,
    log: createLog(() => {}),
    signal: stop.signal,
    concurrentMax: 10,
    replayMs: 1,
    replaysMax: 1,
  });
  return {
    site,
    async ask(payload: string, onStanza = "") {
      const lang = onStanza === "" ? "" : ` xml:lang='${onStanza}'`;
      await router.iq(
        parse(
          `<iq xmlns='jabber:client' type='get' id='a' from='owner@example.org/x' to='gw@example.org'${lang}>${payload}</iq>`,
        ),
      );
      return format(replies.at(-1) as Element);
    },
  };
}

describe("languages on the wire", () => {
  it("COM-LANG-01: of the request element before the stanza, and the configured one where neither says", async () => {
    const english = serve();
    const sources = (lang: string) => `<getAllDataSources xmlns='${ns}'${lang}/>`;
    expect(await english.ask(sources(""))).toContain("name='Field devices'");
    expect(await english.ask(sources(" xml:lang='de'"), "sv")).toContain("name='Feldgeräte'");
    expect(await english.ask(sources(""), "sv-FI")).toContain("name='Fältenheter'");
    expect(await english.ask(sources(" xml:lang='tlh'"))).toContain("name='Field devices'");
    const spanish = serve("es");
    expect(await spanish.ask(sources(""))).toContain("name='Dispositivos de campo'");
    expect(await spanish.ask(sources(" xml:lang='en-US'"))).toContain("name='Field devices'");
  });

  it("COM-LANG-02: titles of types, names of parameters and messages are said in it; ids and what was configured are not", async () => {
    const { site, ask } = serve();
    const node = site.tree.find({ nodeId: "attic", sourceId: "MeteringTopology", partition: "" });
    if (node === undefined) throw new Error("no node");
    site.tree.warn(node, "settings", "No driver of this version has the node type x.y.");
    const info = await ask(
      `<getNode xmlns='${ns}' id='attic' src='MeteringTopology' parameters='1' messages='1' xml:lang='de'/>`,
    );
    expect(info).toContain("id='NodeId' name='Knoten' value='attic'");
    expect(info).toContain("id='Type' name='Typ' value='Simulierte Leitung'");
    expect(info).toContain("Kein Treiber dieser Version hat den Knotentyp x.y.");
    expect(info).toContain("displayName='attic'");
    expect(info).toContain("nodeType='sim.line'");
    expect(info).toContain("eventId='settings'");
  });

  it("COM-LANG-02, COM-LANG-04: a refusal is said in it, and says which language it is", async () => {
    const { ask } = serve();
    const unknown = (lang: string) => `<getNode xmlns='${ns}' id='nothing' src='MeteringTopology' xml:lang='${lang}'/>`;
    expect(await ask(unknown("sv"))).toContain("xml:lang='sv'>Det finns ingen sådan nod.<");
    expect(await ask(unknown("en"))).toContain("xml:lang='en'>There is no such node.<");
    // What is wrong with the stanza is told to programmers, in English, and says so.
    expect(await ask(`<getNode xmlns='${ns}' src='MeteringTopology' xml:lang='sv'/>`)).toMatch(
      /xml:lang='en'>getNode@id/,
    );
  });

  it("COM-LANG-02: a language whose catalogue lacks a text says it in English rather than not at all", () => {
    const languages = createLanguages({ fr: { "Field devices": "Appareils" } });
    expect(languages.say("fr", "Field devices")).toEqual({ text: "Appareils", language: "fr" });
    expect(languages.say("fr", "Baud rate")).toEqual({ text: "Baud rate", language: "en" });
  });
});

// Harmonized interfaces on the wire, in the present element and in the older one.

import { describe, expect, it } from "vitest";
import { Refusal } from "#contract/faults.ts";
import { createHarmonized } from "#iot/harmonized.ts";
import { createBench } from "./face-bench.ts";

const uris = ["urn:nfi:iot:hi:meter:heat:1.0", "urn:nfi:iot:hi:meter:heat:statistics:history:1.0"];

function serve() {
  const bench = createBench();
  const asked: unknown[] = [];
  const { routes } = createHarmonized({
    concentrator: {
      async interfaces(_caller, ref) {
        asked.push(ref);
        if (ref !== undefined && ref.nodeId !== "mbus-17") throw new Refusal("not-found", "There is no such node.");
        return ref === undefined ? [] : uris;
      },
    },
  });
  return { ask: bench.serve(routes), asked, routes };
}

describe("asking for harmonized interfaces", () => {
  it("HI-GET-01: the list as references, or empty; under a namespace that is announced", async () => {
    const { ask, asked, routes } = serve();
    expect(await ask("get", "<getInterfaces xmlns='urn:nfi:iot:hi:1.0' id='mbus-17'/>")).toBe(
      `<interfaces xmlns='urn:nfi:iot:hi:1.0'>${uris.map(uri => `<interface ref='${uri}'/>`).join("")}</interfaces>`,
    );
    expect(await ask("get", "<getInterfaces xmlns='urn:nfi:iot:hi:1.0'/>")).toBe(
      "<interfaces xmlns='urn:nfi:iot:hi:1.0'/>",
    );
    expect(asked).toEqual([{ nodeId: "mbus-17", sourceId: "MeteringTopology", partition: "" }, undefined]);
    expect(routes.map(one => one.ns)).toContain("urn:nfi:iot:hi:1.0");
  });

  it("HI-GET-02: the older element gets its own wrapper, and the same URIs as names", async () => {
    const { ask } = serve();
    expect(await ask("get", "<getInterfaces xmlns='urn:xmpp:iot:interoperability' id='mbus-17' st='a b'/>")).toBe(
      `<getInterfacesResponse xmlns='urn:xmpp:iot:interoperability'>${uris.map(uri => `<interface name='${uri}'/>`).join("")}</getInterfacesResponse>`,
    );
  });

  it("HI-GET-03, HI-GET-04: an unknown node is item-not-found, a set is not a question", async () => {
    const { ask } = serve();
    for (const ns of ["urn:nfi:iot:hi:1.0", "urn:xmpp:iot:interoperability"]) {
      expect(await ask("get", `<getInterfaces xmlns='${ns}' id='other'/>`)).toContain("<item-not-found");
      expect(await ask("set", `<getInterfaces xmlns='${ns}' id='mbus-17'/>`)).toContain("<feature-not-implemented");
    }
  });
});

// Telling which harmonized interfaces a node offers (HI-GET), under the present name and under the older one that deployed
// clients ask for.

import type { Interfaces } from "#concentrator/interfaces.ts";
import type { Codec } from "#xml/codec.ts";
import { type Route, route } from "../router.ts";
import { callerOf, resolve } from "./asker.ts";
import { harmonizedNs, interoperabilityNs } from "./generations.ts";
import * as wire from "./harmonized.wire.ts";

export interface HarmonizedDeps {
  readonly concentrator: Pick<Interfaces, "interfaces">;
}

export function createHarmonized({ concentrator }: HarmonizedDeps): { readonly routes: readonly Route[] } {
  const answering = (ns: string, answer: Codec<readonly string[]>): Route =>
    route(["get"], ns, wire.getInterfaces, async ({ node, tokens }, iq) => {
      const ref = node && resolve(node);
      return answer.encode(await concentrator.interfaces(callerOf(iq, tokens), ref, iq.signal), ns);
    });
  return {
    routes: [answering(harmonizedNs, wire.interfaces), answering(interoperabilityNs, wire.olderInterfaces)],
  };
}

// One event of a subscription: decided on anew, read anew where what is known is too old, and told, without what must not or
// need not be told (EV-SUB-04, EV-EVT-01, EV-EVT-03).

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { admissionMs } from "#limits.ts";
import type { Admission, Admitted } from "./admission.ts";
import { Refusal } from "./contract/faults.ts";
import { type Ask, asAsked, categories, categoryMask, categoryNames, type Reading } from "./contract/field.ts";
import { nodeKey } from "./contract/node.ts";
import type { Known, Readout } from "./readout.ts";
import { faultMs, type Interest, type Running } from "./subscription.ts";
import type { Tree } from "./tree.ts";

export interface EventDeps {
  readonly find: Tree["find"];
  readonly admission: Pick<Admission, "visible" | "read">;
  readonly readout: Readout;
  /** What need not be read again, since it was polled just now. */
  readonly known: Known;
  readonly clock: Clock;
}

/**
 * As if he had asked now. Nodes he no longer sees are left out for good. "later": whoever decides is busy or away; undefined:
 * he may not. The question is the same as at first, so that what was learned then answers it.
 */
export async function admitAnew(
  { admission, clock }: Pick<EventDeps, "admission" | "clock">,
  { interest, nodes, scope }: Pick<Running, "interest" | "nodes" | "scope">,
): Promise<Admitted | "later" | undefined> {
  const { caller, ask } = interest;
  try {
    return await within(clock, admissionMs, "decision", scope.signal, async signal => {
      const refs = Array.from(nodes, node => node.ref);
      const seen = await admission.visible(caller, refs, signal);
      for (const node of nodes) if (!seen.has(nodeKey(node.ref))) nodes.delete(node);
      if (nodes.size === 0 && refs.length > 0) return undefined;
      return await admission.read(
        caller,
        Array.from(nodes, node => node.ref),
        ask,
        signal,
      );
    });
  } catch (error) {
    if (error instanceof TimeoutError) return "later";
    if (!(error instanceof Refusal)) throw error;
    return error.kind === "busy" ? "later" : undefined;
  }
}

/** Resolves when the subscriber has been told, or there was nothing to tell. `told` hears of each reading before he does. */
export async function tellEvent(
  { find, readout, known, clock }: EventDeps,
  one: Running,
  admitted: Admitted,
  told: (reading: Reading) => void,
): Promise<void> {
  const began = clock.monotonic();
  const mayFault = began - one.lastFaultAt >= faultMs(one.interest);
  let withheld = false;

  async function* contents(): AsyncGenerator<Reading> {
    for (const part of partsOf(admitted, one.interest, clock.now())) {
      for await (const reading of readout(part, one.scope.signal, known)) {
        // What was granted when this event began may have been taken back meanwhile.
        await one.undecided;
        const node = find(reading.node);
        const target = node && one.targets.get(node);
        if (one.over) return;
        if (target === undefined) continue;
        if (reading.kind === "fault") {
          withheld ||= !mayFault;
          if (!mayFault) continue;
          one.lastFaultAt = began;
          yield reading;
          continue;
        }
        const asked = asAsked(reading, target.ask);
        if (asked === undefined) continue;
        told(reading);
        yield { ...reading, ...asked };
      }
    }
  }

  const stream = contents();
  const first = await stream.next();
  if (one.over || (first.done && withheld)) return;
  await one.subscriber.event(
    (async function* () {
      if (first.done) return;
      yield first.value;
      yield* stream;
    })(),
    admitted.targets.map(target => target.node),
  );
}

const past = categories("historical");
const present = categories(...categoryNames.filter(name => name !== "historical"));

/** Less than was admitted, never more: the present whatever its age, and of the past no more than the subscriber wants. */
function partsOf(admitted: Admitted, { historyMs }: Interest, now: number): Admitted[] {
  const limited = (only: Ask["categories"], from: number): Admitted => ({
    ...admitted,
    targets: admitted.targets.map(({ node, ask }) => ({
      node,
      ask: { ...ask, categories: both(ask.categories, only), from, to: Number.POSITIVE_INFINITY, order: "poll" },
    })),
  });
  const now_ = limited(present, Number.NEGATIVE_INFINITY);
  const isHistory = admitted.targets.some(({ ask }) => ask.categories.historical);
  if (!isHistory) return [now_];
  return [now_, limited(past, historyMs === undefined ? Number.NEGATIVE_INFINITY : now - historyMs)];
}

const both = (a: Ask["categories"], b: Ask["categories"]): Ask["categories"] =>
  categories(...categoryNames.filter(name => a[name] && b[name]));

/** Subscriptions whose questions are alike, with all their nodes: asked together first, what is learned answers each. */
export function alike(all: Iterable<Running>): Running[][] {
  const key = ({ interest: { caller, ask } }: Running) =>
    JSON.stringify([caller.bareJid, caller.tokens, categoryMask(ask.categories), ask.names]);
  return [...Map.groupBy(all, key).values()];
}

// The state machine of one thing, every cell of discovery.md section 3: eight states, eight events.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ana,
  anaFull,
  claimKey,
  disco,
  gateway,
  gatewayFull,
  meter,
  meterTags,
  mine,
  openPipe,
  outcome,
  type Pipe,
  payloadText,
  register,
} from "./pipe.ts";

const refOf = { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" };

const states = ["UNREG", "REG", "ORPH", "PUB", "PRIV", "REMD", "SELF", "DIS"] as const;
type State = (typeof states)[number];
const names: Record<string, State> = {
  unclaimed: "REG",
  orphaned: "ORPH",
  public: "PUB",
  private: "PRIV",
  removed: "REMD",
  selfOwned: "SELF",
  disowning: "DIS",
};

const events = {
  register: (pipe: Pipe) => register(pipe, meter, `<str name='NEW' value='1'/><str name='KEY' value='${claimKey}x'/>`),
  "register selfOwned": (pipe: Pipe) =>
    pipe.iq(
      "set",
      gatewayFull,
      `<register xmlns='${disco}' ${meter} selfOwned='true'><str name='NEW' value='1'/></register>`,
    ),
  mine: (pipe: Pipe) => mine(pipe),
  "remove by owner": (pipe: Pipe, owner: string) =>
    pipe.iq("set", owner, `<remove xmlns='${disco}' jid='${gateway}' ${meter}/>`),
  "update by thing": (pipe: Pipe) =>
    pipe.iq("set", gatewayFull, `<update xmlns='${disco}' ${meter}><str name='ROOM' value='Cellar'/></update>`),
  "update jid by owner": (pipe: Pipe, owner: string) =>
    pipe.iq(
      "set",
      owner,
      `<update xmlns='${disco}' jid='${gateway}' ${meter}><str name='ROOM' value='Cellar'/></update>`,
    ),
  "unregister by thing": (pipe: Pipe) => pipe.iq("set", gatewayFull, `<unregister xmlns='${disco}' ${meter}/>`),
  "disown by owner": (pipe: Pipe, owner: string) =>
    pipe.iq("set", owner, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`),
} as const;
type Event = keyof typeof events;

/** What is answered, and the state afterwards; "claimed+" and "claimed-" say public or not. */
type Cell = readonly [answer: string, next: State];
const inf = "item-not-found";
const table: Record<Event, Record<State, Cell>> = {
  register: {
    UNREG: ["∅", "REG"],
    REG: ["∅", "REG"],
    ORPH: ["∅", "REG"],
    PUB: ["claimed+", "PUB"],
    PRIV: ["claimed-", "PRIV"],
    REMD: ["claimed-", "REMD"],
    SELF: ["∅", "REG"],
    DIS: ["∅", "REG"],
  },
  "register selfOwned": {
    UNREG: ["∅", "SELF"],
    REG: ["∅", "SELF"],
    ORPH: ["∅", "SELF"],
    PUB: ["claimed+", "PUB"],
    PRIV: ["claimed-", "PRIV"],
    REMD: ["claimed-", "REMD"],
    SELF: ["∅", "SELF"],
    DIS: ["∅", "SELF"],
  },
  mine: {
    UNREG: [inf, "UNREG"],
    REG: ["claimed+", "PUB"],
    ORPH: [inf, "ORPH"],
    PUB: [inf, "PUB"],
    PRIV: [inf, "PRIV"],
    REMD: [inf, "REMD"],
    SELF: [inf, "SELF"],
    DIS: [inf, "DIS"],
  },
  "remove by owner": {
    UNREG: [inf, "UNREG"],
    REG: [inf, "REG"],
    ORPH: [inf, "ORPH"],
    PUB: ["∅", "REMD"],
    PRIV: ["∅", "REMD"],
    REMD: [inf, "REMD"],
    SELF: ["∅", "REMD"],
    DIS: [inf, "DIS"],
  },
  "update by thing": {
    UNREG: [inf, "UNREG"],
    REG: ["disowned", "REG"],
    ORPH: ["disowned", "ORPH"],
    PUB: ["∅", "PUB"],
    PRIV: ["∅", "PRIV"],
    REMD: [inf, "REMD"],
    SELF: ["∅", "SELF"],
    DIS: ["disowned", "DIS"],
  },
  "update jid by owner": {
    UNREG: [inf, "UNREG"],
    REG: [inf, "REG"],
    ORPH: [inf, "ORPH"],
    PUB: ["∅", "PUB"],
    PRIV: ["∅", "PRIV"],
    REMD: [inf, "REMD"],
    SELF: ["∅", "SELF"],
    DIS: [inf, "DIS"],
  },
  "unregister by thing": {
    UNREG: ["∅", "UNREG"],
    REG: ["∅", "UNREG"],
    ORPH: ["∅", "UNREG"],
    PUB: ["∅", "UNREG"],
    PRIV: ["∅", "UNREG"],
    REMD: ["∅", "UNREG"],
    SELF: ["∅", "UNREG"],
    DIS: ["∅", "UNREG"],
  },
  "disown by owner": {
    UNREG: [inf, "UNREG"],
    REG: [inf, "REG"],
    ORPH: [inf, "ORPH"],
    PUB: ["∅", "ORPH"],
    PRIV: ["∅", "ORPH"],
    REMD: ["∅", "ORPH"],
    SELF: ["not-allowed", "SELF"],
    DIS: ["not-allowed", "DIS"],
  },
};

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

async function bring(state: State): Promise<{ owner: string; disown?: Promise<unknown> }> {
  pipe.answers(gatewayFull, () => "ok");
  const owned = { owner: anaFull };
  if (state === "UNREG") return owned;
  if (state === "SELF") {
    await events["register selfOwned"](pipe);
    return { owner: gatewayFull };
  }
  await register(pipe);
  await pipe.comesOnline(gatewayFull);
  if (state === "REG") return owned;
  await mine(pipe, meterTags(), state === "PRIV" ? "public='false'" : "");
  if (state === "REMD") await events["remove by owner"](pipe, anaFull);
  if (state === "ORPH") await events["disown by owner"](pipe, anaFull);
  if (state === "DIS") {
    pipe.answers(gatewayFull, payload => (payload.name === "disowned" ? "silent" : "ok"));
    const disown = pipe.start("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    await pipe.settle();
    return { ...owned, disown };
  }
  return owned;
}

const now = async (): Promise<State> => {
  const thing = await pipe.store.thing(gateway, refOf);
  return thing === undefined ? "UNREG" : (names[thing.state] as State);
};

const said = (reply: Parameters<typeof outcome>[0]): string => {
  if (outcome(reply) !== "result") return outcome(reply);
  const text = payloadText(reply);
  if (text === "") return "∅";
  if (text.startsWith("<disowned")) return "disowned";
  return text.includes("public='true'") ? "claimed+" : text.includes("public='false'") ? "claimed-" : text;
};

for (const [event, cells] of Object.entries(table) as [Event, Record<State, Cell>][]) {
  describe(`DISCO section 3: ${event}`, () => {
    for (const state of states) {
      const [answer, next] = cells[state];
      it(`${state}: answers ${answer}, then ${next}`, async () => {
        const { owner, disown } = await bring(state);
        expect(await now()).toBe(state);
        const reply = await events[event](pipe, owner);
        expect(said(reply)).toBe(answer);
        expect(await now()).toBe(next);
        if (disown === undefined) return;
        // What the thing did itself finishes the disown; everything else leaves it waiting, and then restores.
        const finished = next !== "DIS";
        await pipe.clock.advance(finished ? 0 : 10_000);
        expect(outcome((await disown) as Parameters<typeof outcome>[0])).toBe(finished ? "result" : "not-allowed");
        expect(await now()).toBe(finished ? next : "PUB");
        if (!finished) expect((await pipe.store.thing(gateway, refOf))?.owner).toBe(ana);
      });
    }
  });
}

it("DISCO-REG-01: registering again replaces all tags, and unclaimed things are never found", async () => {
  await register(pipe);
  await events.register(pipe);
  const thing = await pipe.store.thing(gateway, refOf);
  expect((await pipe.store.tagsOf([thing?.id ?? 0])).get(thing?.id ?? 0)).toEqual([{ name: "NEW", value: "1" }]);
  const found = await pipe.iq("get", anaFull, `<search xmlns='${disco}'><strEq name='NEW' value='1'/></search>`);
  expect(payloadText(found)).toBe(`<found xmlns='${disco}' more='false'/>`);
});

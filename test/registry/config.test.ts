// Boot settings of the registry: where they come from, and what is said when they are wrong.

import { describe, expect, it } from "vitest";
import { readSettings } from "../../src/registry/config.ts";
import { checkLink } from "../../src/registry/link.ts";

const jid = "reg.hub.example";

it("stands on its own with a JID alone: loopback, the standard port, the parent domain", () => {
  expect(readSettings({ jid }, {}, {})).toEqual({
    jid,
    host: "127.0.0.1",
    port: 5347,
    tunnel: false,
    database: "registry.db",
    localDomains: ["hub.example"],
    legacy: false,
    legacyExposeOwner: false,
    language: "en",
    peerRegistries: [],
    childRegistries: [],
    eventLogSenders: [],
    allowedDomains: [],
    limitedDomains: [],
    deniedDomains: [],
    otherDomains: "allow",
    allowWeakKey: false,
    friendOnAccept: false,
    tokenPinFirst: false,
    revokedTokens: [],
  });
});

it("the environment wins over the file, the command line over both", () => {
  const settings = readSettings(
    { jid, port: 1, host: "a", allowWeakKey: true },
    {
      ISTHMUS_REGISTRY_PORT: "2",
      ISTHMUS_REGISTRY_HOST: "b",
      ISTHMUS_REGISTRY_LOCAL_DOMAINS: "Hub.Example, other.example",
    },
    { port: "3", "friend-on-accept": "yes" },
  );
  expect(settings).toMatchObject({
    port: 3,
    host: "b",
    localDomains: ["hub.example", "other.example"],
    allowWeakKey: true,
    friendOnAccept: true,
  });
});

it("says which setting is wrong, and where it was said", () => {
  const complaint = (...args: Parameters<typeof readSettings>): string => {
    try {
      return JSON.stringify(readSettings(...args));
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(complaint({}, {}, {})).toBe(
    "the registry's settings are not right:\n  jid: is missing (JID of the component, as the broker knows it)",
  );
  expect(complaint({ jid: "someone@hub.example" }, {}, {})).toContain("jid: is not a domain, such as");
  expect(complaint({ jid }, { ISTHMUS_REGISTRY_PORT: "many" }, {})).toContain(
    "ISTHMUS_REGISTRY_PORT: is a number from 1 to 65535",
  );
  expect(complaint({ jid }, {}, { port: "70000" })).toContain("--port: is a number from 1 to 65535");
  expect(complaint({ jid, speed: 9 }, {}, {})).toContain("speed: is no setting; there are host, port, ");
  expect(complaint({ jid, allowWeakKey: 7 }, {}, {})).toContain("allowWeakKey: is true or false");
  expect(complaint({ jid }, {}, { "allow-weak-key": "perhaps" })).toContain("--allow-weak-key: is true or false");
  expect(complaint({ jid: "localhost" }, {}, {})).toContain("localDomains: localhost is below no other domain");
  expect(complaint({ jid, localDomains: ["a b"] }, {}, {})).toContain("localDomains: is not a domain");
});

describe("DISCO-THR-08: the link to the broker", () => {
  const secret = "s".repeat(43);
  it.each(["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "Broker.localhost"])("%s is this machine", host => {
    expect(() => checkLink({ host, tunnel: false }, secret)).not.toThrow();
  });
  it.each(["10.0.0.2", "broker.example", "0.0.0.0", "fd00::1", "127.example.org", "localhost.example"])(
    "%s is another machine, and the clear text has to be in a tunnel",
    host => {
      expect(() => checkLink({ host, tunnel: false }, secret)).toThrow(/clear text.*tunnel: true/);
      expect(() => checkLink({ host, tunnel: true }, secret)).not.toThrow();
    },
  );
  it("a secret of less than 32 random bytes is refused, with how to make one", () => {
    expect(() => checkLink({ host: "::1", tunnel: false }, "s".repeat(42))).toThrow(/openssl rand -hex 32/);
    expect(() => checkLink({ host: "::1", tunnel: false }, "s".repeat(42))).not.toThrow(/ssss/);
  });
});

// The services an identity has dealt with, kept between two commands: who came first stays, a change is said, it can be
// forgotten, and neither grows for ever nor is open to others.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CommandError } from "#cli/command.ts";
import { openTrustedServices } from "#cli/trusted-services.ts";
import { trustedDomainsMax } from "#limits.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-trusted-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = () => join(folder, "owner.services");
const open = () => openTrustedServices(file());

it("keeps the first registry and provisioning service of each domain, for the next command too", () => {
  open().learn("hub.example", { registry: "things.hub.example" });
  open().learn("hub.example", { registry: "evil.hub.example", provisioning: "decides.hub.example" });
  open().learn("city.example", { registry: "reg.city.example" });
  expect(open().at("hub.example")).toEqual({ registry: "things.hub.example", provisioning: "decides.hub.example" });
  expect(open().at("other.example")).toEqual({});
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["owner.services"]);
  expect(
    open()
      .all()
      .map(({ domain }) => domain),
  ).toEqual(["hub.example", "city.example"]);
});

it("writes nothing where there is nothing new", () => {
  open().learn("hub.example", {});
  expect(readdirSync(folder)).toEqual([]);
  open().learn("hub.example", { registry: "things.hub.example" });
  const before = statSync(file()).ino;
  open().learn("hub.example", { registry: "things.hub.example" });
  expect(statSync(file()).ino).toBe(before);
});

it("forgets a domain when it is told to, and then learns anew", () => {
  open().learn("hub.example", { registry: "things.hub.example" });
  expect(open().forget("hub.example")).toBe(true);
  expect(open().forget("hub.example")).toBe(false);
  open().learn("hub.example", { registry: "new.hub.example" });
  expect(open().at("hub.example")).toEqual({ registry: "new.hub.example" });
});

it("is bounded: the domain that was learned first goes", () => {
  const services = open();
  for (let n = 0; n <= trustedDomainsMax; n++) services.learn(`d${n}.example`, { registry: `r.d${n}.example` });
  expect(open().all()).toHaveLength(trustedDomainsMax);
  expect(open().at("d0.example")).toEqual({});
  expect(open().at("__proto__")).toEqual({});
});

it.each(["{", "[]", '{"hub.example":{"registry":"me@hub.example"}}', '{"hub.example":1}'])(
  "%s is no memory: nobody is trusted anew over it without a word",
  text => {
    writeFileSync(file(), text);
    expect(open).toThrow(CommandError);
    expect(open).toThrow(/owner\.services is damaged: remove it, and services are learned anew/);
    expect(readFileSync(file(), "utf8")).toBe(text);
  },
);

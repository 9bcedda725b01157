// Style as a test: who may import whom, how long a file may be, how it opens and what is banned. Each rule says why.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  imports: Record<string, string>;
  dependencies: Record<string, string>;
};

interface Source {
  path: string;
  text: string;
  lines: string[];
  imports: { target: string; typeOnly: boolean }[];
}

const walk = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry =>
    entry.isDirectory()
      ? walk(`${folder}/${entry.name}`)
      : entry.name.endsWith(".ts")
        ? [`${folder}/${entry.name}`]
        : [],
  );

/** Where a specifier leads: a path below the root, or the name of a package. */
function targetOf(from: string, specifier: string): string {
  if (specifier.startsWith(".")) return relative(root, resolve(root, dirname(from), specifier));
  if (!specifier.startsWith("#")) return specifier;
  for (const [pattern, path] of Object.entries(packageJson.imports)) {
    const stem = pattern.replace("*", "");
    if (pattern === specifier) return path.replace("./", "");
    if (pattern.endsWith("*") && specifier.startsWith(stem))
      return path.replace("./", "").replace("*", specifier.slice(stem.length));
  }
  return specifier;
}

const importText = /^(?:import|export)\s+(type\s)?[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gms;

const read = (path: string): Source => {
  const text = readFileSync(join(root, path), "utf8");
  const imports = [...text.matchAll(importText)].map(found => {
    const named = /\{([^}]*)\}/s.exec(found[0])?.[1];
    const allTypes = named?.split(",").every(name => name.trim() === "" || name.trim().startsWith("type ")) ?? false;
    return {
      target: targetOf(path, found[2] ?? found[3] ?? found[4] ?? ""),
      typeOnly: found[1] !== undefined || allTypes,
    };
  });
  return { path, text, lines: text.split("\n"), imports };
};

const sources = walk("src").map(read);
const tests = walk("test")
  .filter(path => !path.includes("/vectors/"))
  .map(read);
const programs = walk("bench").concat(walk("scripts")).map(read);

const contract = "src/concentrator/contract/";
const wire = (path: string) => path.startsWith("src/xmpp/iot/") && path.endsWith(".wire.ts");
const below =
  (...rooms: string[]) =>
  (path: string) =>
    rooms.some(room => path.startsWith(room));
const pureDriver = (path: string) => /^src\/drivers\/[a-z]+\/[a-z-]+\.ts$/.test(path);

interface Room {
  name: string;
  holds: (path: string) => boolean;
  mayImport: (path: string, typeOnly: boolean, from: string) => boolean;
  packages: readonly string[];
}

/** The import table of docs/architecture.md, first match wins. `src/limits.ts` is open to all. */
const rooms: readonly Room[] = [
  {
    name: "roots",
    holds: path =>
      /^src\/(main|config)\.ts$/.test(path) || below("src/cli/", "src/edge/")(path) || path === "src/registry/main.ts",
    mayImport: () => true,
    packages: ["qrcode", "yaml", "zod", "scripts/node24.mjs"],
  },
  { name: "base", holds: below("src/base/"), mayImport: below("src/base/"), packages: [] },
  {
    name: "contract",
    holds: below(contract),
    mayImport: (path, typeOnly) => below(contract)(path) || (typeOnly && below("src/base/")(path)),
    packages: ["zod"],
  },
  {
    name: "concentrator",
    holds: below("src/concentrator/"),
    mayImport: below("src/base/", "src/concentrator/"),
    packages: ["zod"],
  },
  {
    name: "drivers/all.ts",
    holds: path => path === "src/drivers/all.ts",
    mayImport: below("src/drivers/", contract),
    packages: [],
  },
  {
    name: "drivers",
    holds: below("src/drivers/"),
    // A driver sees itself and the channels all drivers share, which lie directly in src/drivers; never another driver.
    mayImport: (path, _typeOnly, from) =>
      below("src/base/", contract, `${dirname(from)}/`)(path) ||
      /^src\/drivers\/[a-z-]+\.ts$/.test(path) ||
      below(`${from.split("/").slice(0, 3).join("/")}/`)(path),
    packages: ["zod", "yaml", "serialport", "mqtt"],
  },
  { name: "languages", holds: below("src/languages/"), mayImport: below("src/languages/", contract), packages: [] },
  { name: "xmpp/xml", holds: below("src/xmpp/xml/"), mayImport: below("src/xmpp/xml/"), packages: [] },
  {
    name: "wire files",
    holds: wire,
    mayImport: path => below("src/xmpp/xml/")(path) || wire(path) || below(contract)(path),
    packages: [],
  },
  {
    name: "iot, pure",
    holds: path => /^src\/xmpp\/iot\/(generations|iotdisco(-[a-z]+)?)\.ts$/.test(path),
    mayImport: path =>
      below("src/xmpp/xml/", "src/xmpp/iot/iotdisco", contract)(path) || wire(path) || path === "src/xmpp/jid.ts",
    packages: [],
  },
  {
    name: "xmpp",
    holds: below("src/xmpp/"),
    mayImport: (path, typeOnly) =>
      below("src/base/", contract, "src/xmpp/")(path) || (typeOnly && below("src/concentrator/")(path)),
    packages: [],
  },
  {
    name: "client",
    holds: below("src/client/"),
    mayImport: (path, typeOnly) =>
      below("src/client/", "src/xmpp/xml/", contract)(path) ||
      wire(path) ||
      /^src\/xmpp\/(iot\/(generations|iotdisco(-[a-z]+)?)|stanza|jid)\.ts$/.test(path) ||
      (typeOnly && path === "src/xmpp/connection.ts"),
    packages: [],
  },
  {
    name: "store",
    holds: below("src/store/"),
    mayImport: (path, typeOnly) =>
      below("src/base/", contract, "src/store/")(path) ||
      (typeOnly && below("src/concentrator/", "src/xmpp/outbox.ts")(path)),
    packages: ["better-sqlite3"],
  },
  // The database file is shared: opening, migrating and checking SQLite is one thing, said once (docs/decisions).
  {
    name: "registry",
    holds: below("src/registry/"),
    mayImport: path =>
      below("src/base/", contract, "src/xmpp/", "src/registry/")(path) || path === "src/store/database.ts",
    packages: ["better-sqlite3", "zod"],
  },
  {
    name: "labels",
    holds: below("src/labels/"),
    mayImport: (path, _typeOnly) =>
      below("src/base/", contract, "src/labels/")(path) || /^src\/xmpp\/iot\/iotdisco(-[a-z]+)?\.ts$/.test(path),
    packages: ["qrcode", "jsqr", "harfbuzzjs", "bidi-js"],
  },
  { name: "link", holds: below("src/link/"), mayImport: below("src/base/", contract, "src/link/"), packages: [] },
  {
    name: "lab",
    holds: below("src/lab/"),
    mayImport: path => below("src/base/", "src/lab/")(path) || pureDriver(path),
    packages: ["mqtt"],
  },
];

test("tidy: rooms import only what the table allows", () => {
  const faults: string[] = [];
  for (const source of sources) {
    if (source.path === "src/limits.ts") continue;
    const room = rooms.find(one => one.holds(source.path));
    if (room === undefined) {
      faults.push(`${source.path}: lies in no room of the table`);
      continue;
    }
    for (const { target, typeOnly } of source.imports) {
      if (target === "src/limits.ts" || target.startsWith("node:")) continue;
      if (
        target.startsWith("src/") ? !room.mayImport(target, typeOnly, source.path) : !room.packages.includes(target)
      ) {
        faults.push(`${source.path} (${room.name}) imports ${target}`);
      }
    }
  }
  expect(faults).toEqual([]);
});

test("tidy: what runs in a browser imports nothing that only Node has", () => {
  const pure = sources.filter(
    ({ path }) =>
      below("src/xmpp/xml/", "src/client/", contract)(path) ||
      wire(path) ||
      path.endsWith("/generations.ts") ||
      /\/iotdisco(-[a-z]+)?\.ts$/.test(path),
  );
  const faults = pure.flatMap(({ path, imports }) =>
    imports.filter(one => one.target.startsWith("node:")).map(one => `${path} imports ${one.target}`),
  );
  expect(faults).toEqual([]);
});

/** Tables and product profiles are data. */
const exempt = (path: string) => path.includes("/profiles/") || path.endsWith("-table.ts") || path === "src/limits.ts";

test("tidy: files stay short enough to read in one go", () => {
  const long = sources
    .filter(({ path, lines }) => !exempt(path) && lines.length > 301)
    .map(({ path, lines }) => `${path}: ${lines.length - 1} lines`);
  expect(long).toEqual([]);
});

test("tidy: every file opens with a sentence that says what it is for", () => {
  const silent = [...sources, ...programs]
    .filter(({ lines }) => !/^(#!|\/\/ [A-Z"0-9`].{20})/.test(lines[0] ?? ""))
    .map(({ path }) => path);
  expect(silent).toEqual([]);
});

const banned: readonly { pattern: RegExp; instead: string; except?: RegExp }[] = [
  {
    pattern: /\bDate\.now\(|\bperformance\.now\(|(?<![.\w])set(Timeout|Interval)\(/,
    instead: "the injected Clock",
    except: /^src\/base\/clock\.ts$/,
  },
  { pattern: /\bas any\s*[;,)\]}>]|@ts-(ignore|nocheck|expect-error)/, instead: "a type" },
  { pattern: /\bconsole\./, instead: "the injected Log, or the CLI's output", except: /^src\/cli\// },
  { pattern: /^\s*(export\s+)?(const\s+)?enum\s/m, instead: "a union of literals" },
  { pattern: /\b(FIXME|TODO|XXX|HACK)\b/, instead: "doing it, or an issue" },
  { pattern: /^export \* from/m, instead: "importing from the file that has the name" },
  {
    pattern: /^(export )?(default )?(abstract )?class \w+ (?!extends \w*(Error|Refusal|Fault)\b)/m,
    instead: "functions and records; class is for errors",
  },
  { pattern: /\/work\/|registry\.npmjs|deb\.debian/, instead: "nothing of the machine it was written on" },
];

test("tidy: banned words", () => {
  const faults = sources.flatMap(({ path, text }) =>
    banned
      .filter(({ pattern, except }) => pattern.test(text) && !except?.test(path))
      .map(({ pattern, instead }) => `${path}: ${pattern.source} (use ${instead})`),
  );
  expect(faults).toEqual([]);
});

test("tidy: no test is skipped, singled out or empty of purpose", () => {
  const pattern = /\b(it|test|describe)\.(skip|only|todo|fails)\b|expect\(true\)/;
  expect(
    tests.filter(({ path, text }) => path !== "test/tidy.test.ts" && pattern.test(text)).map(({ path }) => path),
  ).toEqual([]);
});

test("tidy: no file is unused", () => {
  const used = new Set(
    [...sources, ...tests, ...programs].flatMap(({ path, imports }) =>
      imports.map(({ target }) => target).filter(target => target !== path),
    ),
  );
  const entries = /^src\/(main|cli\/main|registry\/main)\.ts$/;
  expect(sources.filter(({ path }) => !used.has(path) && !entries.test(path)).map(({ path }) => path)).toEqual([]);
});

test("tidy: every limit is used", () => {
  const limits = sources.find(({ path }) => path === "src/limits.ts")?.text ?? "";
  const names = [...limits.matchAll(/^export const (\w+)/gm)].map(found => found[1] as string);
  const others = sources
    .filter(({ path }) => path !== "src/limits.ts")
    .map(({ text }) => text)
    .join("\n");
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter(name => !new RegExp(`\\b${name}\\b`).test(others))).toEqual([]);
});

test("tidy: names of files say what is in them", () => {
  const vague = /\/(index|utils?|helpers?|types|common|misc)\.ts$/;
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.wire|\.test)?\.ts$/;
  const faults = sources
    .filter(({ path }) => vague.test(path) || !kebab.test(path.split("/").at(-1) ?? ""))
    .map(({ path }) => path);
  expect(faults).toEqual([]);
});

test("tidy: every wire file has cases, every driver passes the suite", () => {
  const texts = tests.map(({ text }) => text).join("\n");
  const wireFiles = sources
    .filter(({ path }) => wire(path))
    .map(({ path }) => path.split("/").at(-1)?.replace(".wire.ts", "") ?? "");
  const families = readdirSync(join(root, "test/cases"), { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name);
  expect(wireFiles.filter(name => !families.includes(name))).toEqual([]);
  const drivers = readdirSync(join(root, "src/drivers"), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== "blueprint")
    .map(entry => entry.name);
  expect(drivers.filter(name => !texts.includes(`driverSuite("${name}`))).toEqual([]);
});

test("tidy: the lock file names no address and licences stay permissive", () => {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  expect(lock).not.toMatch(/"resolved"/);
  const packages = JSON.parse(lock).packages as Record<string, { license?: string; dev?: boolean }>;
  const linked = Object.entries(packages).filter(([path, one]) => path !== "" && !one.dev);
  expect(
    linked
      .filter(([, one]) => /\bA?GPL/.test(one.license ?? "") && !/\bOR\b/.test(one.license ?? ""))
      .map(([path]) => path),
  ).toEqual([]);
});

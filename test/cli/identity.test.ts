import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CommandError } from "../../src/cli/command.ts";
import {
  demoPointer,
  type Identity,
  identityNames,
  loadIdentity,
  runningDemo,
  saveIdentity,
} from "../../src/cli/identity.ts";

let folder: string;
let identities: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-identity-"));
  identities = join(folder, "identities");
  mkdirSync(join(folder, "tmp"));
  vi.stubEnv("ISTHMUS_IDENTITIES", identities);
  // The demonstration's pointer lies in the folder for temporary files: the test has one of its own.
  vi.stubEnv("TMPDIR", join(folder, "tmp"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const owner: Identity = { jid: "owner@example.org", password: "secret" };
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const complaint = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(CommandError);
    return (error as Error).message;
  }
  return "none";
};

describe("identities", () => {
  it("are kept in a file that only its user can read, in a folder that only he can open", () => {
    const file = saveIdentity("owner", { ...owner, port: 5223, appliance: "isthmus-1@example.org" });
    expect(modeOf(file)).toBe("600");
    expect(modeOf(identities)).toBe("700");
    expect(loadIdentity("owner")).toEqual({ ...owner, port: 5223, appliance: "isthmus-1@example.org" });
  });

  it("saved again, a file that others could read can be read by them no more, and nothing else is left", () => {
    const file = saveIdentity("owner", owner);
    chmodSync(file, 0o644);
    saveIdentity("owner", { ...owner, password: "another" });
    expect(modeOf(file)).toBe("600");
    expect(loadIdentity("owner").password).toBe("another");
    expect(readdirSync(identities)).toEqual(["owner.json"]);
  });

  it("a mask of the process that gives less is kept to, one that gives more is not", () => {
    const before = process.umask(0);
    try {
      expect(modeOf(saveIdentity("owner", owner))).toBe("600");
    } finally {
      process.umask(before);
    }
  });

  it.each(["../owner", "a/b", "", "own er", "a\u0000", "-\n"])("%j cannot be a name", name => {
    expect(complaint(() => saveIdentity(name, owner))).toMatch(/cannot be the name of a file/);
    expect(existsSync(identities)).toBe(false);
  });

  it("the only one needs no name; of several, or none, one is told what to do", () => {
    expect(complaint(() => loadIdentity(undefined))).toMatch(/`isthmus identity add NAME --jid/);
    saveIdentity("owner", owner);
    expect(loadIdentity(undefined)).toEqual(owner);
    saveIdentity("stranger", { ...owner, jid: "stranger@example.org" });
    expect(complaint(() => loadIdentity(undefined))).toBe("Say as whom with --as: owner, stranger.");
    expect(complaint(() => loadIdentity("nobody"))).toBe('There is no identity "nobody"; known are owner, stranger.');
    expect(complaint(() => loadIdentity("../owner"))).toMatch(/There is no identity/);
  });

  it("a file that is none is named, without what it holds", () => {
    const file = saveIdentity("owner", owner);
    writeFileSync(file, '{"jid": "owner@example.org", "password": 12345678}');
    const wrong = complaint(() => loadIdentity("owner"));
    expect(wrong).toContain(file);
    expect(wrong).toContain("password");
    expect(wrong).not.toContain("12345678");
    writeFileSync(file, "{");
    expect(complaint(() => loadIdentity("owner"))).toBe(`${file} cannot be read as JSON.`);
  });
});

describe("a running demonstration", () => {
  const point = (mode = 0o600, text?: string) => {
    const demo = join(folder, "demo");
    mkdirSync(demo, { recursive: true });
    saveIdentity("stranger", owner, demo);
    writeFileSync(demoPointer(), text ?? JSON.stringify({ identities: demo, dataFolder: folder }));
    chmodSync(demoPointer(), mode);
    return demo;
  };

  it("offers its identities beside one's own", () => {
    const demo = point();
    expect(demoPointer()).toBe(join(folder, "tmp", `isthmus-demo-${userInfo().uid}.json`));
    expect(runningDemo()).toEqual({ identities: demo, dataFolder: folder });
    saveIdentity("owner", owner);
    expect(identityNames().sort()).toEqual(["owner", "stranger"]);
    expect(loadIdentity("stranger")).toEqual(owner);
  });

  it("of another user is not believed", () => {
    if (userInfo().uid === 0) {
      point();
      chownSync(demoPointer(), 65_534, 65_534);
    } else {
      // Somebody else's file that we can read: the system's own.
      symlinkSync("/etc/hostname", demoPointer());
    }
    expect(runningDemo()).toBeUndefined();
    expect(identityNames()).toEqual([]);
  });

  it("that another user could have written or linked is not believed", () => {
    point(0o660);
    expect(runningDemo()).toBeUndefined();
    chmodSync(demoPointer(), 0o606);
    expect(runningDemo()).toBeUndefined();
    rmSync(demoPointer());
    const own = join(folder, "own.json");
    writeFileSync(own, JSON.stringify({ identities, dataFolder: folder }), { mode: 0o600 });
    mkdirSync(identities);
    symlinkSync(own, demoPointer());
    expect(runningDemo()).toBeUndefined();
    rmSync(demoPointer());
    execFileSync("mkfifo", [demoPointer()]);
    expect(runningDemo()).toBeUndefined();
  });

  it("that died in the middle of saying so, or was cleaned away, keeps nobody from his own identities", () => {
    saveIdentity("owner", owner);
    for (const text of ["", '{"identities": "/t', "null", "[]", '{"identities": 7, "dataFolder": "x"}']) {
      point(0o600, text);
      expect(runningDemo()).toBeUndefined();
      expect(identityNames()).toEqual(["owner"]);
    }
    rmSync(point(), { recursive: true });
    expect(runningDemo()).toBeUndefined();
    expect(loadIdentity(undefined)).toEqual(owner);
  });
});

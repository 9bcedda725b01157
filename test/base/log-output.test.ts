// The forms in which a log leaves the program, and how it finds out which is wanted.

import { spawnSync } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { LogEvent } from "#base/log.ts";
import { foundFormat, logLine } from "#base/log-output.ts";

const event: LogEvent = {
  level: "warning",
  event: "SpoofedStanza",
  facts: { from: "x@evil.example\n<3>forged", element: "claimed", tries: 3, error: new Error("password=hunter2") },
};
const at = Date.UTC(2026, 0, 5, 8);

describe("a line of the log", () => {
  it("for the journal has the priority of its level in front, and is one line whatever a peer says", () => {
    const line = logLine("journal", event, at);
    expect(line).toBe(
      '<4>SpoofedStanza from="x@evil.example\\n<3>forged" element=claimed tries=3 error="password=***"\n',
    );
    const levels = (["error", "warning", "notice", "info", "debug"] as const).map(level =>
      logLine("journal", { level, event: "x", facts: {} }, at),
    );
    expect(levels).toEqual(["<3>x\n", "<4>x\n", "<5>x\n", "<6>x\n", "<7>x\n"]);
  });

  it("as JSON is one object with the time; facts do not take the place of its head", () => {
    const line = logLine("json", { ...event, facts: { ...event.facts, level: "forged" } }, at);
    expect(line.split("\n")).toHaveLength(2);
    expect(JSON.parse(line)).toEqual({
      at: "2026-01-05T08:00:00.000Z",
      level: "warning",
      event: "SpoofedStanza",
      from: "x@evil.example\n<3>forged",
      element: "claimed",
      tries: 3,
      error: "password=***",
    });
  });
});

describe("the form is found out", () => {
  it("journal when the standard error output is the journal's stream, and text when it only says so", () => {
    const file = join(tmpdir(), `isthmus-log-${process.pid}`);
    const stream = openSync(file, "w");
    try {
      const { dev, ino } = fstatSync(stream);
      const module = new URL("../../src/base/log-output.ts", import.meta.url).pathname;
      const script = `import { foundFormat } from ${JSON.stringify(module)}; process.stderr.write(foundFormat(process.env) + " ");`;
      for (const JOURNAL_STREAM of [`${dev}:${ino}`, `${dev}:${ino + 1}`])
        spawnSync(process.execPath, ["--input-type=module", "-e", script], {
          env: { ...process.env, JOURNAL_STREAM },
          cwd: join(import.meta.dirname, "../.."),
          stdio: ["ignore", "ignore", stream],
        });
      expect(readFileSync(file, "utf8").trim()).toBe("journal text");
    } finally {
      closeSync(stream);
      rmSync(file);
    }
    expect(foundFormat({})).toBe("text");
  });
});

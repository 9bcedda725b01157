import { describe, expect, it } from "vitest";
import { type Command, helpOf, parseWords, UsageError } from "../../src/cli/command.ts";
import { commands } from "../../src/cli/commands.ts";

const command: Command = {
  name: "node read",
  summary: "Read a node.",
  usage: "NODE [--field NAME]",
  details: "Some more.",
  options: {
    field: { type: "string", value: "NAME", help: "Only this field.", multiple: true },
    as: { type: "string", value: "NAME", help: "Act as." },
    all: { type: "boolean", help: "Everything." },
  },
  words: [1, 2],
  run: async () => 0,
};

const complaint = (...args: string[]): string => {
  try {
    parseWords(command, args);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return "none";
};

describe("the words of a command", () => {
  it("are told from its options, wherever those stand", () => {
    const parsed = parseWords(command, ["--all", "heat-3", "--field", "Energy", "--field=Flow", "now"]);
    expect(parsed.words).toEqual(["heat-3", "now"]);
    expect(parsed.values).toMatchObject({ all: true, field: ["Energy", "Flow"] });
    expect(parseWords(command, ["--", "--heat"]).words).toEqual(["--heat"]);
  });

  it.each([
    [["heat-3", "--colour"], /'--colour'/],
    [["heat-3", "-x"], /'-x'/],
    [["heat-3", "--as"], /--as/],
    [["heat-3", "--as", "--all"], /--as/],
    [["heat-3", "--all=yes"], /--all/],
    [[], /node read needs more: NODE/],
    [["a", "b", "c"], /does not know what to do with "c"/],
  ])("%j is refused in one sentence that names what is wrong", (args, expected) => {
    const text = complaint(...args);
    expect(text).toMatch(expected);
    expect(text).not.toMatch(/\n|\s{2}|at .*\.ts|positional/);
  });

  it("help needs no words", () => {
    expect(parseWords(command, ["--help"]).values.help).toBe(true);
  });

  it("help says usage, summary, details and every option with its value", () => {
    expect(helpOf(command)).toBe(
      [
        "isthmus node read NODE [--field NAME]",
        "",
        "Read a node.",
        "",
        "Some more.",
        "",
        "Options:",
        "  --field NAME  Only this field.",
        "  --as NAME     Act as.",
        "  --all         Everything.",
        "  --help        Show this help.",
        "  --json        Print JSON, one value a line, for programs.",
      ].join("\n"),
    );
  });
});

describe("every command of the program", () => {
  it.each(commands.map(one => [one.name, one] as const))(
    "%s explains itself and understands its own help",
    async (_, listed) => {
      const one = { ...(await listed.load()), name: listed.name, summary: listed.summary };
      expect(one.name).toMatch(/^[a-z]+(-[a-z]+)?( [a-z]+)?$/);
      expect(one.summary).toMatch(/^[A-Z].*\.$/);
      for (const option of Object.values(one.options)) expect(option.help).toMatch(/^\S.*[.…]$/);
      const [, ...lines] = helpOf(one).split("\n");
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
      expect(parseWords(one, ["--help"]).values.help).toBe(true);
      expect(one.words[0]).toBeLessThanOrEqual(one.words[1]);
      if (one.words[0] > 0) expect(() => parseWords(one, [])).toThrow(UsageError);
      for (const name of Object.keys(one.options)) expect(["help", "json"]).not.toContain(name);
    },
  );

  it("names are unique, and no first word is both a command and a group", () => {
    const names = commands.map(one => one.name);
    expect(new Set(names).size).toBe(names.length);
    const groups = names.filter(name => name.includes(" ")).map(name => name.split(" ")[0]);
    expect(names.filter(name => groups.includes(name))).toEqual([]);
  });
});

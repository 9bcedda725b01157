import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTraceFrame, formatTraceItem, formatTraceRemark, parseTraceLine, traceHeader } from "#drivers/trace.ts";
import { traceLineCharsMax } from "#limits.ts";

const at = Date.UTC(2026, 10, 20, 12, 0, 0, 123);

describe("a trace of a line", () => {
  it("is one frame a line", () => {
    const frame = { at, direction: "tx", bytes: Uint8Array.of(0x10, 0x5b, 0x05, 0x60, 0x16) } as const;
    const [line = ""] = formatTraceFrame(frame);
    expect(line).toBe("2026-11-20T12:00:00.123Z tx 10 5B 05 60 16");
    expect(parseTraceLine(line)).toEqual({ kind: "frame", ...frame });
  });

  it("reads what people make of it: blanks, no blanks, a zone of their own, line ends of other systems", () => {
    const expected = { kind: "frame", at: at - 123, direction: "rx", bytes: Uint8Array.of(0xe5, 0x16) };
    expect(parseTraceLine("  2026-11-20T13:00:00+01:00\trx  e516\r")).toEqual(expected);
    expect(parseTraceLine("2026-11-20T12:00:00Z RX e5 16")).toEqual(expected);
  });

  it.each([
    ["", { kind: "blank" }],
    ["# 2026 remark", { kind: "remark", text: "2026 remark" }],
    ["68 03 03 68", { kind: "other" }],
    ["2026-11-20T12:00:00Z tx", { kind: "fault", reason: "hex" }],
    ["2026-11-20T12:00:00Z tx 1 2", { kind: "fault", reason: "hex" }],
    ["2026-11-20T12:00:00 tx 12", { kind: "fault", reason: "time" }],
    ["2026-13-20T12:00:00Z tx 12", { kind: "fault", reason: "time" }],
    ["noon rx 12", { kind: "fault", reason: "time" }],
    [`2026-11-20T12:00:00Z rx ${"00".repeat(traceLineCharsMax)}`, { kind: "fault", reason: "length" }],
  ])("says of %j what it is", (line, meaning) => {
    expect(parseTraceLine(line)).toEqual(meaning);
  });

  it("comes back octet for octet, however long a burst is, in lines of bounded length", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 5_000 }),
        fc.constantFrom("rx", "tx"),
        (bytes, direction) => {
          const lines = formatTraceFrame({ at, direction, bytes });
          expect(lines.every(line => line.length <= traceLineCharsMax)).toBe(true);
          const back = lines.flatMap(line => {
            const parsed = parseTraceLine(line);
            return parsed.kind === "frame" && parsed.at === at && parsed.direction === direction
              ? [...parsed.bytes]
              : [];
          });
          expect(back).toEqual([...bytes]);
        },
      ),
      { seed: 4, numRuns: 200 },
    );
  });

  it("never throws, and a remark never becomes a frame", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), text => {
        parseTraceLine(text);
        const remark = formatTraceRemark(text, at);
        expect(remark.split(/\r\n|[\n\r\u2028\u2029\u0085]/)).toHaveLength(1);
        expect(parseTraceLine(remark).kind).toBe("remark");
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });

  it("takes what was overheard: octets as frames, words as remarks", () => {
    expect(formatTraceItem({ at, kind: "rxBin", bytes: Uint8Array.of(0xe5) })).toEqual([
      "2026-11-20T12:00:00.123Z rx E5",
    ]);
    expect(formatTraceItem({ at, kind: "info", text: "unit 5:\nread" })).toEqual([
      "# 2026-11-20T12:00:00.123Z info: unit 5: read",
    ]);
    expect(parseTraceLine(traceHeader("attic", at)).kind).toBe("remark");
  });
});

// The search for meters by their faces (EN 13757-3, 11.5), as a walk that stands still between two selects: pure, so that it can be
// given up, kept and gone on with. A mask on which several answer is opened at its first wildcard: digit by digit, then by
// manufacturer, version and medium, then by fabrication number.

export interface Mask {
  /** 16 digits as a select says them, F for any. */
  readonly digits: string;
  /** Sent too when meters are alike in all sixteen; F for any. */
  readonly fabrication?: string;
}

/** What a select and the question after it brought. */
export type Probe =
  | { readonly kind: "nobody" }
  | { readonly kind: "one"; readonly meter: Met }
  /** Two or more, or noise that looks like it. */
  | { readonly kind: "several"; readonly why: string };

/** One meter, as it says itself. */
export interface Met {
  /** 16 digits. */
  readonly address: string;
  readonly fabrication?: string;
  /** The address it answers from, whatever it was called by. */
  readonly primary: number;
}

type Part = "start" | "digit" | "maker" | "version" | "medium" | "fabrication";

/** A mask that was opened, and how far its children are. */
interface Level {
  readonly mask: Mask;
  part: Part;
  /** What is to be tried of it; made anew from the mask unless it is a second try. */
  children: readonly Mask[];
  at: number;
  silent: Mask[];
  isSecondTry: boolean;
  collisions: number;
  readonly hitsBefore: number;
  readonly unresolvedBefore: number;
  readonly why: string;
}

export interface Search {
  readonly levels: Level[];
  readonly met: Met[];
  /** Of those met: a meter that shows under two masks counts twice. */
  hits: number;
  selects: number;
  collisions: number;
  /** Masks on which somebody answered and below which nobody was found. */
  readonly unresolved: { readonly mask: Mask; readonly why: string }[];
  /** Manufacturers in play, four digits: those met, and those a person named. */
  readonly makers: string[];
}

const anybody: Mask = { digits: "F".repeat(16) };
const anyFabrication = "F".repeat(8);
const digitsOf = "0123456789";

/** `starts`: masks made of what is known; none: everybody. `makers` as four digits, low octet first. */
export function beginSearch(starts: readonly Mask[] = [], makers: readonly string[] = []): Search {
  const root = levelOf(anybody, "start", starts.length > 0 ? starts : [anybody], { hits: 0, unresolved: [] }, "");
  return { levels: [root], met: [], hits: 0, selects: 0, collisions: 0, unresolved: [], makers: [...makers] };
}

/** The next mask to select; undefined when all was tried. Each is to be followed by `told`. */
export function nextMask(search: Search): Mask | undefined {
  for (;;) {
    const level = search.levels.at(-1);
    if (level === undefined) return undefined;
    const mask = level.children[level.at];
    if (mask !== undefined) return mask;
    if (!goesOn(search, level)) search.levels.pop();
  }
}

export function told(search: Search, probe: Probe): void {
  const level = search.levels.at(-1);
  const mask = level?.children[level.at];
  if (level === undefined || mask === undefined) return;
  level.at++;
  search.selects++;
  if (probe.kind === "nobody") level.silent.push(mask);
  if (probe.kind === "one") {
    search.hits++;
    const { address, fabrication } = probe.meter;
    if (!search.met.some(one => one.address === address && one.fabrication === fabrication))
      search.met.push(probe.meter);
    const maker = address.slice(8, 12);
    if (!search.makers.includes(maker)) search.makers.push(maker);
  }
  if (probe.kind !== "several") return;
  search.collisions++;
  level.collisions++;
  open(search, mask, probe.why);
}

/** All children of a level were tried: there may be a second try, or another way to tell the meters apart. */
function goesOn(search: Search, level: Level): boolean {
  const hits = search.hits - level.hitsBefore;
  const isPlain = level.part === "digit" || level.part === "fabrication";
  // Two at least must be below a collision: a slow one may have been missed. Where nobody showed at all, everywhere.
  const missed = isPlain ? hits < 2 : level.part === "start" && hits === 0 && level.collisions === 0;
  if (missed && !level.isSecondTry && level.silent.length > 0) {
    Object.assign(level, { children: level.silent, at: 0, silent: [], isSecondTry: true });
    return true;
  }
  const next = hits < 2 && level.collisions === 0 ? otherWay(level) : undefined;
  if (next !== undefined) {
    Object.assign(level, { ...next, at: 0, silent: [] });
    return true;
  }
  if (level.part !== "start" && hits === 0 && search.unresolved.length === level.unresolvedBefore) {
    search.unresolved.push({ mask: level.mask, why: level.why });
  }
  return false;
}

/** What is known of manufacturers did not tell them apart, or FF is their version, which means any in a select. */
function otherWay({ part, mask }: Level): Pick<Level, "part" | "children"> | undefined {
  if (part === "maker") return { part: "version", children: octets.map(version => replaced(mask, 12, version)) };
  if (part === "version") return { part: "medium", children: octets.map(medium => replaced(mask, 14, medium)) };
  return part === "medium" ? { part: "fabrication", children: fabricationsOf(mask) ?? [] } : undefined;
}

/** 00 … FE: FF is the wildcard itself. */
const octets: readonly string[] = Array.from({ length: 255 }, (_, n) => n.toString(16).toUpperCase().padStart(2, "0"));

/** One level deeper at the first wildcard; where there is none left, nothing can tell them apart. */
function open(search: Search, mask: Mask, why: string): void {
  const { digits } = mask;
  const at = digits.slice(0, 8).indexOf("F");
  const push = (part: Part, children: readonly Mask[]) =>
    search.levels.push(levelOf(mask, part, children, search, why));
  if (at >= 0) {
    push(
      "digit",
      [...digitsOf].map(digit => replaced(mask, at, digit)),
    );
  } else if (digits.slice(8) === "FFFFFFFF") {
    push(
      "maker",
      search.makers.map(maker => replaced(mask, 8, maker)),
    );
  } else if (digits.slice(12, 14) === "FF") {
    push(
      "version",
      octets.map(version => replaced(mask, 12, version)),
    );
  } else if (digits.slice(14) === "FF") {
    push(
      "medium",
      octets.map(medium => replaced(mask, 14, medium)),
    );
  } else {
    const children = fabricationsOf(mask);
    if (children === undefined) search.unresolved.push({ mask, why });
    else push("fabrication", children);
  }
}

function fabricationsOf({ digits, fabrication = anyFabrication }: Mask): Mask[] | undefined {
  const at = fabrication.indexOf("F");
  if (at < 0) return undefined;
  return [...digitsOf].map(digit => ({
    digits,
    fabrication: fabrication.slice(0, at) + digit + fabrication.slice(at + 1),
  }));
}

const levelOf = (
  mask: Mask,
  part: Part,
  children: readonly Mask[],
  { hits, unresolved }: Pick<Search, "hits" | "unresolved">,
  why: string,
): Level => ({
  mask,
  part,
  children,
  at: 0,
  silent: [],
  isSecondTry: false,
  collisions: 0,
  hitsBefore: hits,
  unresolvedBefore: unresolved.length,
  why,
});

const replaced = ({ digits }: Mask, at: number, by: string): Mask => ({
  digits: digits.slice(0, at) + by + digits.slice(at + by.length),
});

/** Share of the space that was searched, 0 … 1: a hint, as nobody knows where meters are. */
export function shareDone({ levels }: Search): number {
  let share = 0;
  let weight = 1;
  for (const { children, at } of levels) {
    const deeper = levels.at(-1)?.children !== children;
    share += (weight * Math.max(0, at - (deeper ? 1 : 0))) / children.length;
    weight /= children.length;
  }
  return levels.length === 0 ? 1 : Math.min(1, share);
}

/** Selects that are certain to come: the rest of what was opened. */
export const selectsLeft = ({ levels }: Search): number =>
  levels.reduce((sum, { children, at }) => sum + children.length - at, 0);

/** For a person: "37525…", with what follows the digits where it is set. */
export function formatMask({ digits, fabrication }: Mask): string {
  const id = digits.slice(0, 8).replace(/F+$/, "…");
  const rest = digits.slice(8).replace(/(FF)+$/, "");
  return `${id === "…" ? "all numbers" : id}${rest === "" ? "" : ` ${rest}`}${fabrication ? ` / ${fabrication.replace(/F+$/, "…")}` : ""}`;
}

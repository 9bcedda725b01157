// `isthmus labels`: the labels to stick on things, with the codes by which who stands before them claims them.

import { systemClock } from "#base/clock.ts";
import { faceOf, type LabelFace } from "#labels/face.ts";
import { LabelError } from "#labels/label-error.ts";
import { type Made, makeLabels } from "#labels/making.ts";
import { labelsMax } from "#limits.ts";
import { confirm } from "../ask.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { type Client, clientOptions, withClient } from "../connect.ts";
import { type Making, makingOf, makingOptions, sentences } from "../labels/making.ts";
import { openPrinted, type Printed } from "../labels/printed.ts";
import { newCodes, thingsOf } from "../labels/remote.ts";
import { faceValue, listLabels, tellMade } from "../labels/telling.ts";
import { chosen, type Listed, type ListedThing, thingsHere } from "../labels/things.ts";
import { createProgress, type Progress } from "../progress.ts";

export const labels: CommandBody = {
  usage: "--out FILE [--sheet NAME | --size SIZE] | --list",
  details: [
    "A label for each thing: its code, its serial number in large digits, what and where it is. Whoever has a code may claim",
    "the thing: what is claimed already gets a label without one. Each code is read again before the file is there.",
    "Print in actual size, never fitted to the page. Of the appliance on this machine, or with --as over the network.",
  ].join(" "),
  options: {
    ...makingOptions,
    node: {
      type: "string",
      value: "NODE",
      multiple: true,
      help: "Only this thing, or `appliance`; may be given again.",
    },
    line: { type: "string", value: "NODE", help: "Only what hangs on this line." },
    unclaimed: { type: "boolean", help: "Only what can be claimed." },
    outdated: { type: "boolean", help: "Only labels that were never made, or are not right any more." },
    list: { type: "boolean", help: "Make none: say which there are, and which are out of date." },
    rotate: {
      type: "boolean",
      help: "Give what nobody owns a new code first: labels that hang there are worth nothing then.",
    },
    yes: { type: "boolean", help: "Do not ask whether --rotate is meant." },
    data: {
      type: "string",
      value: "FOLDER",
      help: "The appliance's data folder; the running demonstration's, else ./data.",
    },
    ...clientOptions,
    lang: {
      type: "string",
      value: "TAG",
      help: "Language of the labels: en, sv, de, es; the appliance's unless said.",
    },
  },
  words: [0, 0],
  async run(call) {
    const making = makingOf(call);
    if (making === undefined && !call.flag("list"))
      throw new UsageError("say with --out where to write the labels, or --list");
    const isRemote = call.text("as") !== undefined || call.text("of") !== undefined;
    if (isRemote && call.text("data") !== undefined)
      throw new UsageError("--data is of this machine: say it or --as, not both");
    if (call.flag("rotate") && (making === undefined || call.flag("list")))
      throw new UsageError("--rotate goes with --out: new codes are for new labels");
    if (call.flag("rotate") && !isRemote)
      throw new UsageError("new codes are made for the appliance's owner or installer: say as whom with --as");
    using progress = createProgress(!call.out.json);
    if (!isRemote) return await work(call, making, await thingsHere(call), progress);
    return await withClient(call, async client => {
      const listed = await thingsOf(client, call, progress);
      if (making === undefined || !call.flag("rotate")) return await work(call, making, listed, progress);
      return await rotate(client, call, making, listed, progress);
    });
  },
};

interface Wanted {
  readonly faces: readonly LabelFace[];
  readonly all: readonly LabelFace[];
  readonly printed: Printed;
}

function wantedOf(call: Invocation, listed: Listed): Wanted {
  const printed = openPrinted(listed.printedFile);
  const all = listed.things.map(one => faceOf(one, listed.registry));
  const wanted = new Set(chosen(listed.things, call).map(({ ref }) => ref));
  const isWanted = (face: LabelFace) =>
    wanted.has(face.ref) && (!call.flag("outdated") || printed.stateOf(face) !== "current");
  return { faces: all.filter(isWanted), all, printed };
}

async function work(call: Invocation, making: Making | undefined, listed: Listed, progress: Progress): Promise<number> {
  const { faces, all, printed } = wantedOf(call, listed);
  if (making === undefined || call.flag("list")) {
    progress.clear();
    listLabels(call, faces, printed);
    return 0;
  }
  if (faces.length === 0) throw new CommandError("There is no such label to make: see `isthmus labels --list`.");
  const made = await make(call, making, listed, faces, progress);
  told(call, making, faces, made, progress);
  remember(call, printed, faces, all);
  return 0;
}

/** All is tried with the codes there are before any of them ends: new ones have the same length. */
async function rotate(
  client: Client,
  call: Invocation,
  making: Making,
  listed: Listed,
  progress: Progress,
): Promise<number> {
  const { faces, all, printed } = wantedOf(call, listed);
  const wanted = new Set(faces.filter(({ uri }) => uri !== undefined).map(({ ref }) => ref));
  const things = listed.things.filter(({ ref }) => wanted.has(ref));
  if (things.length === 0) throw new CommandError("None of these has a code that could be made anew.");
  await make(call, { ...making, rehearsing: true }, listed, facesOf(things, listed), progress);
  progress.clear();
  const ends = things.length === 1 ? "1 code ends: labels with it" : `${things.length} codes end: labels with them`;
  const question = `${ends} are worth nothing afterwards. Continue?`;
  if (!call.flag("yes")) await confirm(question, "--yes", call);
  const renewed = await newCodes(client, call, things, progress);
  if (renewed.things.length > 0) {
    const fresh = facesOf(renewed.things, listed);
    const made = await make(call, making, listed, fresh, progress).catch(error => {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(`The codes are new, but ${error.message}\nMake their labels without --rotate.`);
    });
    told(call, making, fresh, made, progress);
    remember(call, printed, fresh, all);
  }
  if (renewed.faults.length === 0) return 0;
  const left = things.length - renewed.things.length;
  throw new CommandError([...renewed.faults, `${left} of ${things.length} have the codes they had.`].join("\n"));
}

const facesOf = (things: readonly ListedThing[], { registry }: Listed): LabelFace[] =>
  things.map(one => faceOf(one, registry));

async function make(
  call: Invocation,
  making: Making & { readonly rehearsing?: boolean },
  { language }: Listed,
  faces: readonly LabelFace[],
  progress: Progress,
): Promise<Made> {
  if (faces.length > labelsMax)
    throw new CommandError(`That is more than ${labelsMax} labels: choose some with --line or --node.`);
  try {
    return await makeLabels(faces, faces.length, {
      ...making,
      say: sentences(call.text("lang"), language),
      signal: call.signal,
      progress: done => progress.show(`${done} of ${faces.length} labels`),
    });
  } catch (error) {
    if (error instanceof LabelError) throw new CommandError(error.message);
    throw error;
  }
}

function told(call: Invocation, making: Making, faces: readonly LabelFace[], made: Made, progress: Progress): void {
  progress.clear();
  for (const face of faces) call.out.value(faceValue(face));
  call.out.value({ files: made.files, pages: made.pages, missing: made.missing });
  tellMade(call, making, faces, made);
}

/** The labels are there; that a list of them could not be written is said, and no failure. */
function remember(call: Invocation, printed: Printed, faces: readonly LabelFace[], all: readonly LabelFace[]): void {
  try {
    printed.made(faces, all, systemClock.now());
  } catch (error) {
    if (!(error instanceof LabelError)) throw error;
    call.out.note(`Which labels were made could not be noted: ${error.message}`);
  }
}

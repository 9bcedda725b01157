// What `isthmus labels` says of labels: those there are, and those that were made. Never a code: it is for the label alone
// (URI-SEC-02).

import { describeNode } from "#contract/node.ts";
import type { LabelFace } from "#labels/face.ts";
import type { Made } from "#labels/making.ts";
import type { Invocation } from "../command.ts";
import type { Making } from "./making.ts";
import type { LabelState, Printed } from "./printed.ts";

export const faceValue = ({ ref, name, serial, model, room, state, uri }: LabelFace) => ({
  ref,
  name,
  serial,
  model,
  room,
  state,
  hasCode: uri !== undefined,
});

export function listLabels(call: Invocation, faces: readonly LabelFace[], printed: Printed): void {
  const rows = faces.map(face => {
    const label = printed.stateOf(face);
    const at = printed.madeAt(face);
    const madeAt = at === undefined ? undefined : new Date(at).toISOString();
    call.out.value({ ...faceValue(face), label, ...(madeAt === undefined ? {} : { madeAt }) });
    const since = madeAt === undefined ? "" : ` (${madeAt.slice(0, 10)})`;
    return [describeNode(face.ref), face.name, face.serial, stateWords[face.state], `${labelWords[label]}${since}`];
  });
  if (rows.length === 0) call.out.note("There is nothing here that could have such a label.");
  else call.out.table(["Node", "Name", "Serial number", "State", "Label"], rows);
}

const stateWords: Readonly<Record<LabelFace["state"], string>> = {
  registered: "unclaimed",
  claimed: "claimed",
  unregistered: "not registered yet",
};
const labelWords: Readonly<Record<LabelState, string>> = {
  never: "not made yet",
  current: "made",
  code: "out of date: its code is a new one",
  claimed: "out of date: the thing is claimed, its code is worth nothing",
  words: "out of date: it says something else now",
};

export function tellMade(call: Invocation, { sheet, copies }: Making, faces: readonly LabelFace[], made: Made): void {
  const { files, pages, missing } = made;
  const codes = faces.filter(({ uri }) => uri !== undefined).length;
  const waiting = faces.filter(({ state }) => state === "unregistered");
  const lines = [
    `${many(faces.length, "label")}${copies > 1 ? `, each ${copies} times` : ""}, ${codes} with a code` +
      `${sheet ? `, on ${many(pages, "sheet")}` : ""}: ${namesOf(files)}`,
    ...(codes > 0 ? ["Each code was read again. Whoever has one can claim the thing: keep the file to yourself."] : []),
    ...(waiting.length > 0 ? [`Without a code, not being registered yet: ${some(waiting)}.`] : []),
    ...(missing.length > 0
      ? [`No font here has ${missing.slice(0, someMax).join(" ")}: boxes stand for them. --font FILE adds one.`]
      : []),
  ];
  for (const line of lines) call.out.note(line);
}

const someMax = 10;
const some = (faces: readonly LabelFace[]): string =>
  faces
    .slice(0, someMax)
    .map(({ ref }) => describeNode(ref))
    .join(", ") + (faces.length > someMax ? ` and ${faces.length - someMax} more` : "");

const many = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

const namesOf = (files: readonly string[]): string => {
  const [first = "", last = first] = [files[0], files.at(-1)];
  return first === last ? first : `${first} to ${last.slice(last.lastIndexOf("/") + 1)}`;
};

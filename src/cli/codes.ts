// Codes of labels (`iotdisco:` URIs) as people give them on the command line, and where they are not shown. What is wrong with
// one is said without repeating it: a code may hold a KEY (URI-SEC-02).

import { decodeUri, IotdiscoError, type Uri } from "#iot/iotdisco.ts";
import { UsageError } from "./command.ts";
import type { Status } from "./status-text.ts";

/**
 * As it was meant: a code that was pasted brings the quotation marks, line breaks and blanks of the letter it stood in. Blanks in
 * a value stay; a name never begins with one.
 */
export const pastedCode = (text: string): string =>
  text
    .replace(/[ \t]*[\r\n]+[ \t]*/g, "")
    .replace(/^[\s<"'`“”„‘’‚«»]+|[\s>"'`“”„‘’‚«»]+$/gu, "")
    .replace(/;\s+/g, ";");

/** Throws `UsageError`. */
export function readCode(text: string): Uri {
  try {
    return decodeUri(pastedCode(text));
  } catch (error) {
    if (error instanceof IotdiscoError) throw new UsageError(`This is ${error.message}.`);
    throw error;
  }
}

/** For who did not ask for codes: whoever has one may claim the thing, and what a program printed is kept and passed on. */
export const withoutCodes = (status: Status): Status => ({
  ...status,
  nodes: status.nodes.map(node =>
    node.thing?.uri === undefined ? node : { ...node, thing: { ...node.thing, uri: undefined } },
  ),
});

/** The code of an unclaimed thing, as it is to be read. Throws `UsageError`, before anybody is asked. */
export function claimCode(text: string): string {
  const { kind } = readCode(text);
  if (kind === "direct") throw new UsageError("This code only says where a thing is: with it nothing can be claimed.");
  if (kind === "search")
    throw new UsageError(
      "This code has no KEY. Is it in quotes? Without them the shell ends it at the first semicolon.",
    );
  return pastedCode(text);
}

// Codes of labels (`iotdisco:` URIs) as people give them on the command line. What is wrong with one is said without
// repeating it: a code may hold a KEY (URI-SEC-02).

import { decodeUri, IotdiscoError, type Uri } from "#iot/iotdisco.ts";
import { UsageError } from "./command.ts";

/** Throws `UsageError`. */
export function readCode(text: string): Uri {
  try {
    return decodeUri(text.trim());
  } catch (error) {
    if (error instanceof IotdiscoError) throw new UsageError(`This is ${error.message}.`);
    throw error;
  }
}

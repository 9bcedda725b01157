// A set-up step that cannot go on says so in one sentence that tells the reader what to do; with-setup.mjs prints it
// without a stack and exits with 1.

export class Refusal extends Error {
  name = "Refusal";
}

/** @param {string} sentence @returns {never} */
export function refuse(sentence) {
  throw new Refusal(sentence);
}

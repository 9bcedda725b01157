// One line at the bottom of a terminal that says what is going on, replaced as it changes and gone when there is something to
// read. Where standard error is no terminal nothing is said.

import { safe } from "./output.ts";

export interface Progress extends Disposable {
  show(text: string): void;
  /** Before anything else is printed. */
  clear(): void;
}

const silent: Progress = { show() {}, clear() {}, [Symbol.dispose]() {} };

export function createProgress(wanted: boolean): Progress {
  const { stderr } = process;
  if (!wanted || !stderr.isTTY) return silent;
  const clear = () => void stderr.write("\r\u001b[K");
  return {
    show: text => void stderr.write(`\r\u001b[K${safe(text).slice(0, (stderr.columns ?? 80) - 1)}`),
    clear,
    [Symbol.dispose]: clear,
  };
}

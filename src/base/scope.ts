// A signal that ends with its parent or by its own end, without leaving a listener behind on the parent: a process that
// runs for years may not gather one abort listener a request on its root signal.

export interface Scope extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

/** One for all: making such an exception gathers a stack and costs more than all the rest of a scope. */
const ended = new DOMException("the scope ended", "AbortError");

export function createScope(parent: AbortSignal): Scope {
  const controller = new AbortController();
  const onAbort = () => controller.abort(parent.reason);
  if (parent.aborted) onAbort();
  else parent.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    abort: reason => controller.abort(reason),
    [Symbol.dispose]() {
      parent.removeEventListener("abort", onAbort);
      controller.abort(ended);
    },
  };
}

// Backoff as data: an iterable of delays in milliseconds. `supervise` and the XMPP session wait by it.

/** Doubles from `first` to `cap`, each spread evenly over ±`jitter` (a share, 0.25 = ±25 %) so that a fleet does not return in step. */
export function* backoff(
  first: number,
  cap: number,
  jitter = 0.25,
  random: () => number = Math.random,
): Generator<number> {
  for (let delay = Math.min(first, cap); ; delay = Math.min(delay * 2, cap)) {
    yield Math.round(delay * (1 - jitter + 2 * jitter * random()));
  }
}

import { TabmindError } from '../errors';

export interface StopDelta {
  /** Text that may be shown: no part of it can belong to a stop string any more. */
  readonly text: string;
  /** The stop string that was found, or null. Nothing comes after it. */
  readonly stop: string | null;
}

/** Knuth-Morris-Pratt automaton of one stop string: `state` UTF-16 units of it end at the current position. */
interface Matcher {
  readonly stop: string;
  /** fallback[n]: longest proper prefix of stop that is also a suffix of its first n units. */
  readonly fallback: Int32Array;
  state: number;
}

/**
 * Cuts a stream of text deltas at the first stop string. The stop whose last character comes first wins, and of
 * those that end together the longest; so the result does not depend on how the text was cut into deltas.
 * Constant work per character and stop string.
 */
export class StopStrings {
  readonly #matchers: readonly Matcher[];
  /** Text held back: a suffix of the stream that is the start of some stop string. */
  #held = '';
  #found: string | null = null;

  /** @throws TabmindError 'bad-request' for an empty stop string, which would match everywhere. */
  constructor(stops: readonly string[]) {
    if (stops.includes('')) {
      throw new TabmindError('bad-request', 'stop contains an empty string', {
        meaning: 'An empty stop string would end every answer before its first character.',
        remedy: 'Remove it, or leave `stop` out.',
      });
    }
    this.#matchers = stops.map((stop) => ({ stop, fallback: makeFallback(stop), state: 0 }));
  }

  /** The stop string that ended the stream, or null. */
  get found(): string | null {
    return this.#found;
  }

  push(delta: string): StopDelta {
    if (this.#found !== null) return { text: '', stop: this.#found };
    const text = this.#held + delta;
    for (let end = this.#held.length; end < text.length; end++) {
      const stop = this.#advance(text.charCodeAt(end));
      if (stop === null) continue;
      this.#found = stop;
      this.#held = '';
      return { text: text.slice(0, end + 1 - stop.length), stop };
    }
    const numHeld = Math.max(0, ...this.#matchers.map((matcher) => matcher.state));
    this.#held = text.slice(text.length - numHeld);
    return { text: text.slice(0, text.length - numHeld), stop: null };
  }

  /** The stream has ended: what was held back was no stop string. Call once. */
  flush(): string {
    const text = this.#held;
    this.#held = '';
    for (const matcher of this.#matchers) matcher.state = 0;
    return text;
  }

  /** Feeds one UTF-16 unit to every matcher; returns the longest stop string that it completes. */
  #advance(unit: number): string | null {
    let longest: string | null = null;
    for (const matcher of this.#matchers) {
      const { stop, fallback } = matcher;
      let state = matcher.state;
      while (state > 0 && stop.charCodeAt(state) !== unit) state = fallback[state] ?? 0;
      if (stop.charCodeAt(state) === unit) state++;
      matcher.state = state;
      if (state === stop.length && (longest === null || stop.length > longest.length)) longest = stop;
    }
    return longest;
  }
}

function makeFallback(stop: string): Int32Array {
  const fallback = new Int32Array(stop.length + 1);
  let state = 0;
  for (let n = 1; n < stop.length; n++) {
    while (state > 0 && stop.charCodeAt(state) !== stop.charCodeAt(n)) state = fallback[state] ?? 0;
    if (stop.charCodeAt(state) === stop.charCodeAt(n)) state++;
    fallback[n + 1] = state;
  }
  return fallback;
}

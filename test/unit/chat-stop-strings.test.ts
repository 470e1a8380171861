import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from '../../src/chat/stop-strings';

/** The first position at which any stop string ends; of those the longest. */
function findNaively(text: string, stops: readonly string[]): { text: string; stop: string | null } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops
      .filter((stop) => text.slice(0, end).endsWith(stop))
      .sort((a, b) => b.length - a.length);
    const [stop] = ending;
    if (stop !== undefined) return { text: text.slice(0, end - stop.length), stop };
  }
  return { text, stop: null };
}

/** Everything that could be the start of a stop string must still be held back; nothing else may be. */
function heldNaively(text: string, stops: readonly string[]): number {
  for (let length = text.length; length > 0; length--) {
    const suffix = text.slice(text.length - length);
    if (stops.some((stop) => stop.length > length && stop.startsWith(suffix))) return length;
  }
  return 0;
}

function run(deltas: readonly string[], stops: readonly string[]): { text: string; stop: string | null } {
  const matcher = new StopStrings(stops);
  let text = '';
  for (const delta of deltas) text += matcher.push(delta).text;
  return { text: text + matcher.flush(), stop: matcher.found };
}

// Few letters, so that stop strings overlap themselves and each other.
const letters = fc.constantFrom('a', 'b', 'c', '你', '😀', '😁');
const anyDelta = fc.string({ unit: letters, maxLength: 6 });
const anyStops = fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 5 }), { maxLength: 4 });

describe('StopStrings', () => {
  it('equals the naive search, however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(anyDelta, { maxLength: 12 }), anyStops, (deltas, stops) => {
        expect(run(deltas, stops)).toEqual(findNaively(deltas.join(''), stops));
      }),
      { numRuns: 2000 },
    );
  });

  it('holds back exactly what may become a stop string', () => {
    fc.assert(
      fc.property(fc.array(anyDelta, { maxLength: 8 }), anyStops, (deltas, stops) => {
        fc.pre(findNaively(deltas.join(''), stops).stop === null);
        const matcher = new StopStrings(stops);
        let shown = '';
        let text = '';
        for (const delta of deltas) {
          text += delta;
          shown += matcher.push(delta).text;
          expect(shown).toBe(text.slice(0, text.length - heldNaively(text, stops)));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('finds a stop string across deltas and shows nothing of it', () => {
    const matcher = new StopStrings(['\nUser:', '<end>']);
    expect(matcher.push('Hi there\nUs')).toEqual({ text: 'Hi there', stop: null });
    expect(matcher.push('ual')).toEqual({ text: '\nUsual', stop: null });
    expect(matcher.push(' <en')).toEqual({ text: ' ', stop: null });
    expect(matcher.push('d>more')).toEqual({ text: '', stop: '<end>' });
    expect(matcher.push('more')).toEqual({ text: '', stop: '<end>' });
    expect(matcher.flush()).toBe('');
  });

  it('passes everything through without stop strings', () => {
    expect(new StopStrings([]).push('abc')).toEqual({ text: 'abc', stop: null });
  });

  it('refuses an empty stop string', () => {
    expect(() => new StopStrings(['a', ''])).toThrow(expect.objectContaining({ code: 'bad-request' }));
  });
});

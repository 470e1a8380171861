import { describe, expect, it } from 'vitest';
import { AT_END, turnsIn, windowAround, withEarlier, withLater } from '../../web/state/turn-window';

const turns = Array.from({ length: 1_000 }, (_, i) => i);
const ends = (shown: readonly number[]) => [shown[0], shown.at(-1), shown.length];

describe('the turns that are drawn', () => {
  it('are the last ones, and more of them step by step', () => {
    expect(ends(turnsIn(AT_END, turns))).toEqual([940, 999, 60]);
    expect(ends(turnsIn(withEarlier(AT_END), turns))).toEqual([880, 999, 120]);
    expect(turnsIn(AT_END, [1, 2])).toEqual([1, 2]);
    expect(turnsIn(AT_END, [])).toEqual([]);
  });

  it('stand around a turn that is far from the end, and reach the end where it is near', () => {
    for (const at of [0, 1, 500, 900, 939, 940, 999]) {
      const window = windowAround(AT_END, at, turns.length);
      const shown = turnsIn(window, turns);
      expect(shown).toContain(at);
      expect(shown.length).toBeLessThanOrEqual(91);
      // what shows it already stays
      expect(windowAround(window, at, turns.length)).toBe(window);
    }
    expect(windowAround(AT_END, 950, turns.length)).toBe(AT_END);
    expect(windowAround({ numShown: 20, numLater: 0 }, 950, turns.length).numLater).toBe(0);
  });

  it('grow to the end again', () => {
    let window = windowAround(AT_END, 700, turns.length);
    expect(ends(turnsIn(window, turns))).toEqual([670, 729, 60]);
    while (window.numLater > 0) window = withLater(window);
    expect(ends(turnsIn(window, turns))).toEqual([670, 999, 330]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countAccepted, lookUpDraft } from '../../src/engine/prompt-lookup';
import { GREEDY } from '../../src/engine/sampling-params';
import { Sequence } from '../../src/engine/sequence';
import { draftsPay, Speculation } from '../../src/engine/speculation';

describe('lookUpDraft', () => {
  it.each<[string, number[], number, number[]]>([
    ['what followed the last three tokens', [1, 2, 3, 4, 5, 6, 1, 2, 3], 3, [4, 5, 6]],
    ['nothing behind two that match', [9, 2, 3, 4, 5, 6, 1, 2, 3], 3, []],
    ['the latest of equal matches', [1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], 2, [5, 1]],
    ['the longer of matches', [0, 1, 2, 3, 4, 1, 2, 3, 5, 0, 1, 2, 3], 2, [4, 1]],
    ['a repetition, into the draft itself', [7, 1, 2, 1, 2, 1, 2], 5, [1, 2, 1, 2, 1]],
    ['the same token for ever', [5, 5, 5, 5], 4, [5, 5, 5, 5]],
    ['nothing of too few tokens', [5, 5, 5], 4, []],
    ['nothing when nothing is asked for', [5, 5, 5, 5], 0, []],
  ])('gives %s', (_, tokenIds, numTokens, expected) => {
    expect(lookUpDraft(tokenIds, numTokens)).toEqual(expected);
  });

  it('only continues what stands behind the same three tokens', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 2 }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (ids, numTokens) => {
          const draft = lookUpDraft(ids, numTokens);
          const places = [...ids.keys()].filter(
            (at) => at >= 3 && [1, 2, 3].every((back) => ids[at - back] === ids.at(-back)),
          );
          if (draft.length === 0) {
            expect(places).toEqual([]);
            return;
          }
          expect(draft).toHaveLength(numTokens);
          const all = [...ids, ...draft];
          expect(places.some((at) => draft.every((id, i) => all[at + i] === id))).toBe(true);
        },
      ),
    );
  });
});

describe('countAccepted', () => {
  it('counts up to the first wrong token', () => {
    expect(countAccepted([1, 2, 3], [1, 2, 4, 9])).toBe(2);
    expect(countAccepted([1, 2, 3], [1, 2, 3, 9])).toBe(3);
    expect(countAccepted([1, 2, 3], [2, 2, 3, 9])).toBe(0);
  });
});

describe('draftsPay', () => {
  it('compares the time of a token either way', () => {
    expect(draftsPay({ plainMs: 4, verifyMs: 10, tokensPerVerify: 3 })).toBe(true);
    expect(draftsPay({ plainMs: 4, verifyMs: 12, tokensPerVerify: 3 })).toBe(false);
    expect(draftsPay({ plainMs: 4, verifyMs: 3.9, tokensPerVerify: 1 })).toBe(true);
  });
});

describe('Speculation', () => {
  const repeating = new Sequence('a', [1, 2, 3, 4, 5, 1, 2, 3], { ...GREEDY, speculative: 'auto' }, 0);
  const measured = () => {
    const speculation = new Speculation({ maxDraftTokens: 4 });
    speculation.recordPlain(10, false);
    // The first may wait for shaders: it counts for nothing.
    speculation.recordVerify(5000, 4, 0);
    return speculation;
  };
  const plainUntilNext = (speculation: Speculation) => {
    for (let count = 0; count < 5000; count++) {
      if (speculation.draftFor(repeating, 100) !== null) return count;
      speculation.recordPlain(10, false);
    }
    return Number.POSITIVE_INFINITY;
  };

  it('drafts what fits, as soon as a plain step was measured', () => {
    const speculation = new Speculation({ maxDraftTokens: 4 });
    expect(speculation.draftFor(repeating, 100)).toBeNull();
    speculation.recordPlain(10, false);
    expect(speculation.draftFor(repeating, 100)).toEqual([4, 5, 1, 2]);
    expect(speculation.draftFor(repeating, 3)).toEqual([4, 5]);
    expect(speculation.draftFor(repeating, 1)).toBeNull();
    const other = new Sequence('b', [1, 2, 3, 4], { ...GREEDY, speculative: 'auto' }, 0);
    expect(speculation.draftFor(other, 100)).toBeNull();
    const off = new Sequence('c', repeating.tokenIds, { ...GREEDY, speculative: 'off' }, 0);
    expect(speculation.draftFor(off, 100)).toBeNull();
    const always = new Sequence('d', repeating.tokenIds, { ...GREEDY, speculative: 'always' }, 0);
    expect(new Speculation({ maxDraftTokens: 2 }).draftFor(always, 100)).toEqual([4, 5]);
    expect(new Speculation({ maxDraftTokens: 0 }).draftFor(repeating, 100)).toBeNull();
  });

  it('goes on while drafts pay, and counts their tokens', () => {
    const speculation = measured();
    for (let i = 0; i < 10; i++) {
      expect(plainUntilNext(speculation)).toBe(0);
      speculation.recordVerify(25, 4, 3);
    }
    expect(speculation.draftTokens).toEqual({ numDrafted: 44, numAccepted: 30 });
  });

  it('pauses when they do not, longer each time, and goes on at once when they do again', () => {
    const speculation = measured();
    const pauses = [];
    for (let i = 0; i < 9; i++) {
      speculation.recordVerify(25, 4, 0);
      pauses.push(plainUntilNext(speculation));
    }
    expect(pauses).toEqual([16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    for (let i = 0; i < 20; i++) speculation.recordVerify(25, 4, 4);
    while (speculation.draftFor(repeating, 100) === null) speculation.recordPlain(10, false);
    speculation.recordVerify(25, 4, 4);
    expect(plainUntilNext(speculation)).toBe(0);
  });

  it('counts what it costs to fill the pipeline again, and does not take it for the time of plain steps', () => {
    const speculation = measured();
    speculation.recordVerify(25, 4, 2);
    expect(plainUntilNext(speculation)).toBe(0);
    for (let i = 0; i < 5; i++) {
      speculation.recordPlain(19, true);
      speculation.recordVerify(25, 4, 2);
    }
    expect(plainUntilNext(speculation)).toBeGreaterThan(0);
  });
});

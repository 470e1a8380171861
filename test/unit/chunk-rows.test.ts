import { describe, expect, it } from 'vitest';
import { packChunk } from '../../src/kernels/chunk-rows';

const prompt = (slot: number, startPosition: number, tokenIds: readonly number[], sample: boolean) => ({
  slot,
  startPosition,
  tokenIds,
  sample,
});

describe('packChunk', () => {
  it('leaves the rows of one prompt in their order, sampled or not', () => {
    for (const sample of [false, true]) {
      const { rows, parts } = packChunk([prompt(3, 10, [7, 8, 9], sample)]);
      expect([...rows]).toEqual([7, 3, 10, 8, 3, 11, 9, 3, 12]);
      expect([...parts]).toEqual([3, 10, 3, 0, 2]);
    }
  });

  it('puts the sampled rows of several prompts behind all others, in the order of the prompts', () => {
    const { rows, parts } = packChunk([
      prompt(5, 0, [11, 12], true),
      prompt(1, 40, [21], true),
      prompt(2, 8, [31, 32], false),
      prompt(0, 3, [41, 42, 43], true),
    ]);
    const byRow = Array.from({ length: rows.length / 3 }, (_, row) => [
      ...rows.subarray(3 * row, 3 * row + 3),
    ]);
    expect(byRow).toEqual([
      [11, 5, 0],
      [31, 2, 8],
      [32, 2, 9],
      [41, 0, 3],
      [42, 0, 4],
      [12, 5, 1],
      [21, 1, 40],
      [43, 0, 5],
    ]);
    const byPart = Array.from({ length: parts.length / 5 }, (_, i) => [...parts.subarray(5 * i, 5 * i + 5)]);
    expect(byPart).toEqual([
      [5, 0, 2, 0, 5],
      [1, 40, 1, 1, 6],
      [2, 8, 2, 1, 2],
      [0, 3, 3, 3, 7],
    ]);
  });
});

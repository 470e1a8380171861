import { describe, expect, it } from 'vitest';
import { type ChunkChoice, chooseStepRows, StepTimes } from '../../src/engine/step-times';
import { Random } from '../reference/random';

const choice = (more: Partial<ChunkChoice>): ChunkChoice => ({
  decodeMs: 10,
  stepMs: new Map(),
  maxGrowth: 2,
  maxChunkTokens: 256,
  ...more,
});

describe('chooseStepRows', () => {
  it.each([
    ['nothing is known', {}, 64],
    ['decode steps were not measured', { decodeMs: null, stepMs: new Map([[256, 1]]) }, 64],
    ['all sizes fit', { stepMs: new Map([[256, 19]]) }, 256],
    [
      'the largest is measured as too slow',
      {
        stepMs: new Map([
          [256, 40],
          [128, 20],
        ]),
      },
      128,
    ],
    ['one size is known', { stepMs: new Map([[64, 16]]) }, 128],
    [
      'two sizes are known: by the line through them',
      {
        stepMs: new Map([
          [16, 16],
          [32, 17],
        ]),
      },
      64,
    ],
    [
      'even the smallest is too slow',
      {
        stepMs: new Map([
          [16, 60],
          [256, 100],
        ]),
      },
      16,
    ],
    [
      'more prompts wait',
      {
        numPrompts: 2,
        stepMs: new Map([
          [128, 19],
          [256, 39],
        ]),
      },
      256,
    ],
    [
      'however many wait, a step stays short',
      {
        numPrompts: 9,
        stepMs: new Map([
          [128, 99],
          [256, 101],
        ]),
      },
      128,
    ],
    ['the runner takes less than the smallest', { maxChunkTokens: 5, stepMs: new Map([[5, 99]]) }, 5],
    [
      'steps are so short that nobody feels more',
      {
        decodeMs: 1,
        stepMs: new Map([
          [64, 6.4],
          [128, 6.6],
        ]),
      },
      64,
    ],
    ['more growth is allowed', { maxGrowth: 4, stepMs: new Map([[256, 40]]) }, 256],
  ])('when %s', (_, more, tokens) => {
    expect(chooseStepRows(choice(more))).toBe(tokens);
  });

  it('never chooses a larger chunk for a smaller budget', () => {
    const stepMs = new Map([
      [16, 15],
      [64, 24],
      [256, 62],
    ]);
    const sizes = [1, 5, 8, 12, 20, 31, 40].map((decodeMs) => chooseStepRows(choice({ decodeMs, stepMs })));
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(new Set(sizes).size).toBeGreaterThan(3);
  });
});

describe('StepTimes', () => {
  /** A GPU on which a decode step takes 4 ms + 0.1 ms a row, a chunk 2 ms + 0.02 ms a token. */
  function run(times: StepTimes, numRows: number, numSteps: number): number[] {
    const decodeMs = 4 + 0.1 * numRows;
    times.record({ numRows, numChunkTokens: 0, ms: decodeMs });
    return Array.from({ length: numSteps }, () => {
      const numChunkTokens = times.maxChunkFor(numRows);
      times.record({ numRows, numChunkTokens, ms: decodeMs + 2 + 0.02 * numChunkTokens });
      return numChunkTokens;
    });
  }

  it('finds the largest chunk within the budget, from either side', () => {
    const times = new StepTimes(2, 1024);
    times.record({ numRows: 8, numChunkTokens: 0, ms: 4.8 });
    // 2.8 ms are left for the tokens: 140 of them.
    expect(run(times, 8, 10).at(-1)).toBe(120);
    const late = new StepTimes(2, 1024);
    late.record({ numRows: 0, numChunkTokens: 1024, ms: 22.5 });
    late.record({ numRows: 8, numChunkTokens: 0, ms: 4.8 });
    expect(run(late, 8, 10).at(-1)).toBe(120);
  });

  it('takes the longest chunk when nobody waits, and measures by the nearest number of rows', () => {
    const times = new StepTimes(2, 512);
    expect(times.maxChunkFor(0)).toBe(512);
    times.record({ numRows: 1, numChunkTokens: 0, ms: 4 });
    times.record({ numRows: 32, numChunkTokens: 0, ms: 40 });
    times.record({ numRows: 0, numChunkTokens: 512, ms: 36 });
    expect(times.maxChunkFor(1)).toBeLessThan(512);
    expect(times.maxChunkFor(30)).toBe(482);
  });

  it('takes longer chunks when nobody waits only once it knows that the step will not last', () => {
    const times = new StepTimes(2, 4096);
    expect(times.maxChunkFor(0)).toBe(512);
    times.record({ numRows: 0, numChunkTokens: 512, ms: 16 });
    // 32 ms at most; what still longer ones take is not known.
    expect(times.maxChunkFor(0)).toBe(1024);
    times.record({ numRows: 0, numChunkTokens: 1024, ms: 24 });
    times.record({ numRows: 0, numChunkTokens: 2048, ms: 47 });
    expect(times.maxChunkFor(0)).toBe(4096);
    const slow = new StepTimes(2, 2048);
    slow.record({ numRows: 0, numChunkTokens: 512, ms: 60 });
    expect(slow.maxChunkFor(0)).toBe(512);
    const compiling = new StepTimes(2, 2048);
    compiling.record({ numRows: 0, numChunkTokens: 512, ms: 200 });
    expect(compiling.maxChunkFor(0)).toBe(512);
    compiling.record({ numRows: 0, numChunkTokens: 512, ms: 16 });
    expect(compiling.maxChunkFor(0)).toBe(1024);
  });

  it('leaves a few steps to the decode rows of a number not met before, to learn what their budget is', () => {
    const times = new StepTimes(2, 512);
    times.record({ numRows: 1, numChunkTokens: 0, ms: 1 });
    times.record({ numRows: 1, numChunkTokens: 63, ms: 3 });
    expect(times.maxChunkFor(32)).toBe(0);
    times.record({ numRows: 32, numChunkTokens: 0, ms: 5 });
    expect(times.maxChunkFor(32)).toBeGreaterThanOrEqual(32);
    const unmeasured = Array.from({ length: 8 }, () => times.maxChunkFor(8));
    expect(unmeasured.map((tokens) => tokens > 0)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
      true,
      true,
    ]);
  });

  it('has learnt beside many rows what a chunk beside few will take', () => {
    const times = new StepTimes(2, 512);
    times.record({ numRows: 64, numChunkTokens: 0, ms: 5.8 });
    times.record({ numRows: 64, numChunkTokens: 64, ms: 7.5 });
    times.record({ numRows: 64, numChunkTokens: 192, ms: 10 });
    expect(times.maxChunkFor(64)).toBe(192);
    times.record({ numRows: 4, numChunkTokens: 0, ms: 2.8 });
    // 6.5 ms are the budget, and 128 rows took 7.5
    expect(times.maxChunkFor(4)).toBe(60);
  });

  it('puts the chunk on top of decode rows that leave no room in the step', () => {
    const times = new StepTimes(2, 512);
    times.record({ numRows: 62, numChunkTokens: 0, ms: 6 });
    times.record({ numRows: 62, numChunkTokens: 64, ms: 100 });
    times.record({ numRows: 62, numChunkTokens: 450, ms: 400 });
    expect(times.maxChunkFor(62)).toBe(16);
    times.record({ numRows: 4, numChunkTokens: 0, ms: 6 });
    expect(times.maxChunkFor(4)).toBe(12);
  });

  it('tries a size again that was slow only while its programs were compiled', () => {
    const times = new StepTimes(2, 512);
    times.record({ numRows: 4, numChunkTokens: 0, ms: 4.4 });
    times.record({ numRows: 4, numChunkTokens: 60, ms: 400 });
    const chunks = run(times, 4, 400);
    expect(chunks[0]).toBe(12);
    expect(chunks.at(-2)).toBe(60);
    // and one step in twenty at most is larger than the budget allows
    expect(chunks.slice(-100).filter((tokens) => tokens > 120).length).toBeLessThanOrEqual(5);
  });

  it('is not led astray by one slow step, nor by the rest of a prompt', () => {
    const times = new StepTimes(2, 256);
    times.record({ numRows: 1, numChunkTokens: 0, ms: 10 });
    times.record({ numRows: 1, numChunkTokens: 255, ms: 18 });
    times.record({ numRows: 1, numChunkTokens: 255, ms: 22 });
    times.record({ numRows: 1, numChunkTokens: 7, ms: 500 });
    expect(times.maxChunkFor(1)).toBe(255);
  });

  it('keeps to its chunks through a pause of the host, during which some steps take several times as long', () => {
    const times = new StepTimes(2, 256);
    times.record({ numRows: 4, numChunkTokens: 0, ms: 2 });
    for (let i = 0; i < 8; i++) times.record({ numRows: 4, numChunkTokens: 60, ms: 5 });
    times.record({ numRows: 4, numChunkTokens: 124, ms: 9 });
    for (const ms of [9, 23, 2, 14, 6]) times.record({ numRows: 4, numChunkTokens: 60, ms });
    expect(times.maxChunkFor(4)).toBe(60);
  });

  it('keeps steps within the budget when the GPU becomes slower', () => {
    const times = new StepTimes(2, 256);
    times.record({ numRows: 1, numChunkTokens: 0, ms: 10 });
    for (let i = 0; i < 20; i++) times.record({ numRows: 1, numChunkTokens: 255, ms: 60 });
    expect(times.maxChunkFor(1)).toBeLessThan(255);
  });

  /** Tokens of chunks beside 4 rows, on a GPU of which the browser looks at what is done every half to three milliseconds. */
  function runWithLooks(random: Random, numSteps: number): number[] {
    const times = new StepTimes(2, 512);
    const stepMs = (numRows: number) => 2.8 + 0.4 * Math.sqrt(numRows - 4);
    const inFlight: { readonly numChunkTokens: number; readonly endMs: number }[] = [];
    const chunks: number[] = [];
    let [busyUntil, lookMs, lastReadMs] = [0, 0, 0];
    while (chunks.length < numSteps) {
      while (inFlight.length < 3) {
        // a prompt now and then, of eight chunks
        const numChunkTokens = chunks.length % 20 < 8 ? times.maxChunkFor(4) : 0;
        busyUntil = Math.max(busyUntil, lookMs) + stepMs(4 + numChunkTokens);
        inFlight.push({ numChunkTokens, endMs: busyUntil });
        chunks.push(numChunkTokens);
      }
      lookMs += 0.5 + 2.5 * random.uniform();
      for (let step = inFlight[0]; step && step.endMs <= lookMs; step = inFlight[0]) {
        inFlight.shift();
        times.record({ numRows: 4, numChunkTokens: step.numChunkTokens, ms: lookMs - lastReadMs });
        lastReadMs = lookMs;
      }
    }
    return chunks.filter((tokens) => tokens > 0);
  }

  it.each([1, 2, 3, 4, 5])('keeps to the budget where steps come back in bunches (%i)', (seed) => {
    const settled = runWithLooks(new Random(seed), 3000).slice(200);
    // 60 tokens make 6.0 ms, 124 make 7.3: the budget is 6.5.
    const larger = settled.filter((tokens) => tokens > 60).length / settled.length;
    const smaller = settled.filter((tokens) => tokens < 60).length / settled.length;
    // one in 40 tries more
    expect(larger).toBeLessThan(0.08);
    expect(smaller).toBeLessThan(0.1);
  });
});

import { describe, expect, it } from 'vitest';
import type { GpuInfo, ModelInfo } from '../../src/index';
import { generationDefaults } from '../../src/llm/generation-defaults';
import { layOutBars } from '../../web/bench/bars';
import { cellResult } from '../../web/bench/cell';
import { compareReports, comparisonText } from '../../web/bench/comparison';
import { distributionOf, medianOf } from '../../web/bench/distribution';
import { gridOf, neededSizes, parseCounts, parseLengths } from '../../web/bench/plan';
import { Prompts } from '../../web/bench/prompt';
import type { BenchReport, StepFacts } from '../../web/bench/report';
import { reportText } from '../../web/bench/report-text';
import { numberText, textTable } from '../../web/bench/table';

const TIMINGS = {
  ttftMs: 9,
  totalMs: 40,
  tpotMs: 10,
  itlP95Ms: 12,
  prefillTokensPerSecond: 1000,
  decodeTokensPerSecond: 100,
  draftTokens: 0,
  acceptedDraftTokens: 0,
};
const STEP: StepFacts = {
  dispatches: 51,
  bindingsPerDispatch: 4,
  weightBytes: 1e6,
  kvBytesPerToken: 1000,
  readBytesPerSecond: 1e9,
};
const PLAN = { concurrency: 2, promptTokens: 8, completionTokens: 4 };
/** TTFT 10 and 20 ms, then tokens every 10 ms and every 20. */
const REQUESTS = [
  { startMs: 100, arrivalsMs: [110, 120, 130, 140], timings: TIMINGS },
  { startMs: 100, arrivalsMs: [120, 140, 160, 180], timings: TIMINGS },
];

describe('distributions', () => {
  it('interpolate between neighbours, in any order of the samples', () => {
    const samples = Array.from({ length: 101 }, (_, i) => 100 - i);
    expect(distributionOf(samples)).toEqual({ count: 101, mean: 50, p50: 50, p75: 75, p95: 95, p99: 99 });
    expect(medianOf([4, 1])).toBe(2.5);
  });

  it('of nothing are zeros', () => {
    expect(distributionOf([])).toEqual({ count: 0, mean: 0, p50: 0, p75: 0, p95: 0, p99: 0 });
  });
});

describe('a cell', () => {
  const cell = cellResult(PLAN, REQUESTS, STEP);

  it('counts tokens over the time from the first call to the last token', () => {
    expect(cell.wallMs).toBe(80);
    expect(cell.inputTokensPerSecond).toBe(200);
    expect(cell.outputTokensPerSecond).toBe(100);
    expect(cell.requestsPerSecond).toBe(25);
  });

  it('tells latencies of requests and of tokens apart', () => {
    expect(cell.ttft.mean).toBe(15);
    expect(cell.e2e.p50).toBe(60);
    expect(cell.tpot.mean).toBe(15);
    expect(cell.itl).toMatchObject({ count: 6, mean: 15, p50: 15, p99: 20 });
  });

  it('compares the bytes of a step with the roof', () => {
    // weights once, two sequences of 10 tokens in the middle; a step in 15 ms
    expect(cell.bytesPerToken).toBe(510_000);
    expect(cell.roofShare).toBeCloseTo(1_020_000 / 0.015 / 1e9, 12);
  });
});

describe('plans', () => {
  it('are every concurrency with every pair of lengths', () => {
    const grid = gridOf(parseCounts('1,8'), parseLengths('128:32, 16:64'));
    expect(grid).toHaveLength(4);
    expect(grid[3]).toEqual({ concurrency: 8, promptTokens: 16, completionTokens: 64 });
    expect(neededSizes(grid)).toEqual({ contextLength: 160, maxSequences: 8 });
  });

  it.each(['128', '128:', '0:8', '8:1', 'a:b', '1:2:3', ''])('refuse the lengths "%s"', (text) => {
    expect(() => parseLengths(text)).toThrow(RangeError);
  });

  it.each(['0', '1.5', 'x', '', '1,,2'])('refuse the counts "%s"', (text) => {
    expect(() => parseCounts(text)).toThrow(RangeError);
  });
});

describe('prompts', () => {
  it('are the same for the same seed, and differ from one to the next', () => {
    const [a, b] = [new Prompts(100, 7), new Prompts(100, 7)];
    const first = a.next(50);
    expect(b.next(50)).toEqual(first);
    expect(a.next(50)).not.toEqual(first);
    expect(new Prompts(100, 8).next(50)).not.toEqual(first);
    expect(first.every((id) => Number.isInteger(id) && id >= 0 && id < 100)).toBe(true);
  });
});

describe('reports', () => {
  it('print every cell and kernel', () => {
    const text = reportText(reportOf({}));
    for (const words of ['51 dispatches of 4 bindings', '2 × 8:4 ITL', 'load (cache)', 'gemv', '1.00 GB/s'])
      expect(text).toContain(words);
  });

  it('compare with others: what got better, and what is not the same', () => {
    const [cell] = reportOf({}).cells;
    if (!cell) throw new Error('no cell');
    const faster = { ...cell, outputTokensPerSecond: 150, ttft: { ...cell.ttft, p50: 30 } };
    const gpu = { ...reportOf({}).gpu, vendor: 'amd' };
    const { changes, differences, unmatched } = compareReports(
      reportOf({}),
      reportOf({ gpu, cells: [faster, { ...cell, concurrency: 4 }] }),
    );
    const gainOf = (what: string) => changes.find((change) => change.what === what)?.gain;
    expect(gainOf('2 × 8:4 output tok/s')).toBeCloseTo(1.5, 12);
    expect(gainOf('2 × 8:4 TTFT P50, ms')).toBeCloseTo(0.5, 12);
    expect(gainOf('load (cache), ms')).toBe(1);
    expect(differences).toEqual(['adapter: nvidia x / amd x']);
    expect(unmatched).toEqual(['4 × 8:4']);
    const text = comparisonText({ changes, differences, unmatched });
    expect(text).toContain('+50 %');
    expect(text).toContain('−50 %');
  });

  it('refuse to be compared with something else', () => {
    const other = JSON.parse('{"format": "x"}');
    expect(() => compareReports(reportOf({}), other)).toThrow('no report');
  });
});

describe('text', () => {
  it('lines up columns', () => {
    expect(textTable(['a', 'bb'], [['ccc', '1']])).toBe('a    bb\n---  --\nccc   1');
  });

  it.each([
    [0, '0'],
    [0.012345, '0.0123'],
    [12.345, '12.3'],
    [99.96, '100'],
    [27234.4, '27,234'],
    [Number.NaN, '–'],
  ])('writes %f as %s', (value, text) => {
    expect(numberText(value)).toBe(text);
  });
});

describe('bars', () => {
  it('are in proportion', () => {
    const bars = layOutBars(
      [
        { label: 'a', value: 2, text: '' },
        { label: 'b', value: 4, text: '' },
      ],
      100,
      10,
    );
    expect(bars.map(({ y, width }) => [y, width])).toEqual([
      [0, 50],
      [10, 100],
    ]);
  });

  it('of zeros are empty', () => {
    expect(layOutBars([{ label: 'a', value: 0, text: '' }], 100, 10)[0]?.width).toBe(0);
  });
});

function reportOf(changes: Partial<BenchReport>): BenchReport {
  const gpu: GpuInfo = {
    vendor: 'nvidia',
    architecture: 'x',
    description: '',
    features: [],
    subgroupSize: 32,
    f16: false,
  };
  const model: ModelInfo = {
    id: 'm',
    architecture: 'llama',
    parameters: 1e6,
    contextLength: 12,
    vocabSize: 10,
    weightBytes: 1e6,
    kvBits: 8,
    weightBits: 4,
    math: 'f32',
    defaults: generationDefaults({}),
    fromCache: true,
    cacheRead: null,
    loadMs: 1,
    warnings: [],
  };
  return {
    format: 'tabmind-bench-1',
    date: '2026-01-01T00:00:00.000Z',
    commit: 'abc',
    userAgent: 'Chrome',
    browserFlags: '',
    gpu,
    model,
    memory: { weightBytes: 1e6, kvBytes: 1e5, scratchBytes: 1e5 },
    step: STEP,
    loads: [{ from: 'cache', totalMs: 20, weightsMs: 10, bytes: 1e6, bytesPerSecond: 1e8 }],
    cells: [cellResult(PLAN, REQUESTS, STEP)],
    kernels: [{ kernel: 'gemv', launches: 33, microseconds: 200 }],
    ...changes,
  };
}

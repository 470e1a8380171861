import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { idOf, PipelineCache } from '../../src/gpu/pipeline';
import type { ModelConfig } from '../../src/models/config';
import { compileAhead } from '../../src/runner/compile-ahead';
import type { Graph } from '../../src/runner/graph';
import { recordSelfTest } from '../../src/runner/self-test';
import { type Chunk, NO_ASKS } from '../../src/runner/step-forward';
import type { StepGraphs } from '../../src/runner/step-graphs';
import { warmShapes } from '../../src/runner/warm-shapes';
import { RANDOM_SHAPES } from '../../src/weights/random-shapes';
import {
  ARCHITECTURES,
  CONTEXT_LENGTH,
  configOf,
  device,
  fixture,
  gpuOf,
  graphsOf,
  KINDS,
  type Kind,
  keyBiasOf,
  LIMITS,
  placesOf,
  SHAPES,
  type Wishes,
} from './fake-steps';

const TIMEOUT_MS = 60_000;
const CHUNK_ROWS = [2, 4, 8, 16, 40, 64, 128, 300, 2048];
const DECODE_ROWS = [1, 4, 20];
/** At every number of rows at which a kernel may change, and one behind it. */
const LENGTHS = Array.from({ length: 2048 }, (_, i) => i + 1).filter((rows) => rows <= 24 || rows % 16 <= 1);

function chunkOf(numRows: number, startPosition: number): Chunk {
  const parts = [{ numRows, startPosition }];
  const totalTokens = startPosition + numRows;
  return { parts, numRows, totalTokens, numSampled: 1, verifies: false, asks: NO_ASKS };
}

/** Chunks of all sizes at both ends of the context, alone and beside decode rows. */
function buildAll(graphs: StepGraphs): void {
  for (const numRows of CHUNK_ROWS)
    for (const decodeRows of [0, ...DECODE_ROWS])
      for (const startPosition of [0, CONTEXT_LENGTH - numRows]) {
        const decode = { numRows: decodeRows, position: startPosition, asks: NO_ASKS };
        graphs.step(chunkOf(numRows, startPosition), decodeRows === 0 ? null : decode);
      }
  for (const numRows of DECODE_ROWS)
    for (const position of [0, CONTEXT_LENGTH - 1]) graphs.step(null, { numRows, position, asks: NO_ASKS });
}

beforeAll(() => {
  vi.stubGlobal('GPUShaderStage', { COMPUTE: 4 });
});
afterAll(() => {
  vi.unstubAllGlobals();
});

describe('dispatches of steps', () => {
  beforeAll(() => {
    PipelineCache.checksKeys = true;
  });
  afterAll(() => {
    PipelineCache.checksKeys = false;
  });

  describe.each(Object.entries(KINDS))('with %s', (_, kind) => {
    it(
      'get the pipelines that their defines ask for, whatever the architecture',
      () => {
        const gpu = gpuOf(kind);
        for (const name of ARCHITECTURES) buildAll(graphsOf(fixture(name), gpu, {}));
        for (const shape of SHAPES) buildAll(graphsOf(configOf(RANDOM_SHAPES[shape]), gpu, {}));
      },
      TIMEOUT_MS,
    );

    it('also where layers differ in what they keep out of the cache, and in the order of columns', {
      timeout: TIMEOUT_MS,
    }, () => {
      const gpu = gpuOf(kind);
      for (const kvBits of [32, 16, 8, 4] as const)
        for (const biasPairs of [
          [null, 4],
          [0, 4],
        ])
          buildAll(graphsOf(fixture('qwen2'), gpu, { kvBits, biasPairs }));
      buildAll(graphsOf(fixture('internlm2'), gpu, { permuted: true }));
    });
  });
});

function dispatchesOf(graphs: readonly Graph[]) {
  return graphs.flatMap(({ runs }) =>
    runs.flatMap(({ bindGroup, dispatches }) =>
      dispatches.map((dispatch) => ({ ...dispatch, pipeline: idOf(dispatch.pipeline), bindGroup })),
    ),
  );
}

describe('a step in parts', () => {
  it.each([null, 4])('is the same step, also when it is kept, with %s decode rows', (decodeRows) => {
    const gpu = gpuOf(KINDS['both kinds of matrices'] as Kind);
    const graphs = graphsOf(configOf(RANDOM_SHAPES['qwen2.5-1.5b']), gpu, {});
    const chunk = chunkOf(40, 300);
    const decode = decodeRows === null ? null : { numRows: decodeRows, position: 300, asks: NO_ASKS };
    const whole = graphs.step(chunk, decode);
    const cut = (some: StepGraphs): readonly Graph[] => {
      const parts: Graph[] = [];
      return [...parts, some.step(chunk, decode, (part) => parts.push(part))].slice(-1).concat(parts);
    };
    const inOrder = ([last, ...others]: readonly Graph[]) => [...others, last as Graph];
    const fresh = graphsOf(configOf(RANDOM_SHAPES['qwen2.5-1.5b']), gpu, {});
    for (const parts of [inOrder(cut(graphs)), inOrder(cut(fresh)), inOrder(cut(fresh))]) {
      expect(parts.length).toBeGreaterThan(1);
      expect(dispatchesOf(parts)).toEqual(dispatchesOf([whole]));
      expect(parts.reduce((sum, { numDispatches }) => sum + numDispatches, 0)).toBe(whole.numDispatches);
      for (const { runs, numDispatches } of parts) {
        expect(numDispatches).toBeLessThanOrEqual(40);
        expect(runs.reduce((sum, { dispatches }) => sum + dispatches.length, 0)).toBe(numDispatches);
      }
    }
    expect(dispatchesOf([fresh.step(chunk, decode)])).toEqual(dispatchesOf([whole]));
  });
});

describe('copies of blocks', () => {
  it('reach every layer of every slab, in the order they are asked for', () => {
    const graphs = graphsOf(fixture('qwen2'), gpuOf(KINDS.software as Kind), {
      plans: [
        { firstLayer: 0, numLayers: 2, sizeBytes: 0 },
        { firstLayer: 2, numLayers: 1, sizeBytes: 0 },
      ],
    });
    const { runs, numDispatches } = graphs.copies([
      { from: 3, to: 1 },
      { from: 1, to: 2 },
    ]);
    expect(numDispatches).toBe(4);
    expect(new Set(runs.map(({ bindGroup }) => bindGroup)).size).toBe(2);
    const launches = runs.flatMap(({ dispatches }) => dispatches);
    expect(launches.map(({ workgroups: [, layers] }) => layers)).toEqual([2, 1, 2, 1]);
    const [first, second, third, fourth] = launches.map(({ params }) => [...params.slice(0, 2)]);
    expect([second, fourth]).toEqual([first, third]);
    expect(third?.[0]).toBe(first?.[1]);
    expect(graphs.copies([]).runs).toEqual([]);
  });
});

describe('a step that is kept', () => {
  const models = [
    ['qwen2', {}],
    ['qwen2', { biasPairs: [0, 4] }],
    ['phi3-longrope', {}],
    ['gemma3-text', {}],
  ] as const;
  const chunks = [
    ...[0, 30, 250, 1000, 3000].flatMap((at) => [1, 20, 64, 300].map((numRows) => chunkOf(numRows, at))),
    { ...chunkOf(20, 30), numSampled: 0 },
    { ...chunkOf(20, 30), numSampled: 20, verifies: true },
    { ...chunkOf(20, 30), asks: { adjusts: true, reports: false } },
    {
      ...chunkOf(20, 30),
      parts: [
        { numRows: 12, startPosition: 0 },
        { numRows: 8, startPosition: 30 },
      ],
    },
  ];
  const decodes = [
    null,
    { numRows: 4, position: 0, asks: NO_ASKS },
    { numRows: 4, position: 3000, asks: NO_ASKS },
    { numRows: 4, position: 0, asks: { adjusts: false, reports: true } },
  ];

  it.each(models)(
    'is that of its shape, with %s and %o',
    (name, wishes) => {
      const gpu = gpuOf(KINDS['both kinds of matrices'] as Kind);
      const make = () => graphsOf(fixture(name), gpu, wishes);
      const kept = make();
      // the bind groups of others are other objects
      const plain = (graph: Graph) => dispatchesOf([graph]).map(({ bindGroup: _, ...rest }) => rest);
      for (const chunk of chunks)
        for (const decode of decodes)
          expect(plain(kept.step(chunk, decode)), JSON.stringify({ chunk, decode })).toEqual(
            plain(make().step(chunk, decode)),
          );
    },
    60_000,
  );

  it('is put together once, wherever in the context it stands', () => {
    const graphs = graphsOf(fixture('qwen2'), gpuOf(KINDS['both kinds of matrices'] as Kind), {});
    const first = graphs.step(chunkOf(60, 1000), null);
    expect(graphs.step(chunkOf(60, 1010), null)).toBe(first);
    expect(graphs.step(chunkOf(61, 1000), null)).not.toBe(first);
  });

  it('is given up when many others were met since, and what compiles ahead takes no place', () => {
    const graphs = graphsOf(fixture('qwen2'), gpuOf(KINDS['no matrices'] as Kind), {});
    const step = (numRows: number) => graphs.step(chunkOf(numRows, 0), null);
    const [first, second] = [step(1), step(2)];
    for (let numRows = 3; numRows <= 128; numRows++) step(numRows);
    for (let numRows = 200; numRows < 220; numRows++) graphs.requestStep(chunkOf(numRows, 0), null);
    expect(step(1)).toBe(first);
    step(129);
    expect(step(1)).toBe(first);
    expect(step(2)).not.toBe(second);
  });
});

describe('what is compiled ahead', () => {
  const kinds = Object.entries(KINDS).filter(([, { isSoftware }]) => !isSoftware);
  it.each(kinds)(
    'with %s is all that chunks and decode rows need',
    (_, kind) => {
      const missing = new Set<string>();
      for (const shape of SHAPES) {
        const gpu = gpuOf(kind);
        const graphs = graphsOf(configOf(RANDOM_SHAPES[shape]), gpu, {});
        const { first, others } = warmShapes(gpu, LIMITS);
        for (const shapes of [first, ...others]) graphs.request(shapes);
        let { size } = gpu.pipelines;
        const note = (what: string) => {
          if (gpu.pipelines.size > size) missing.add(`${shape}: ${what}`);
          size = gpu.pipelines.size;
        };
        for (const numRows of LENGTHS)
          for (const startPosition of [0, 300, 1000, CONTEXT_LENGTH - numRows]) {
            graphs.step(chunkOf(numRows, startPosition), null);
            note(`${numRows} behind ${startPosition}`);
          }
        for (let numRows = 1; numRows <= 32; numRows++)
          for (const position of [0, 500, CONTEXT_LENGTH - 1]) {
            graphs.step(null, { numRows, position, asks: NO_ASKS });
            note(`${numRows} rows at ${position}`);
          }
      }
      expect([...missing]).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('while the weights are on their way', () => {
  /** Programs that a load still has to compile when they are there. */
  function lateOf(config: ModelConfig, kind: Kind, wishes: Wishes): readonly string[] {
    const gpu = gpuOf(kind);
    const { architecture, tensors, kv } = placesOf(config, wishes);
    // how many blocks there will be is found out later
    compileAhead({ gpu, config, architecture, tensors, kv: { ...kv, numBlocks: 7 }, ...LIMITS });
    expect(gpu.pipelines.size).toBeGreaterThan(4);
    const modules = vi.spyOn(device, 'createShaderModule').mockClear();
    graphsOf(config, gpu, wishes).request(warmShapes(gpu, LIMITS).first);
    recordSelfTest({ ...LIMITS, ...{ gpu, config, tensors, kv }, keyBias: keyBiasOf(config, wishes) });
    const late = modules.mock.calls.map(([{ label = '' }]) => label.split(' ')[0] ?? '');
    modules.mockRestore();
    return [...new Set(late)].sort();
  }

  it.each(Object.entries(KINDS))('with %s all compiles that the load waits for', (_, kind) => {
    for (const name of ARCHITECTURES) expect(lateOf(fixture(name), kind, {}), name).toEqual([]);
    for (const name of SHAPES)
      for (const kvBits of [16, 8, 4] as const)
        expect(lateOf(configOf(RANDOM_SHAPES[name]), kind, { kvBits }), name).toEqual([]);
    expect(lateOf(fixture('internlm2'), kind, { permuted: true })).toEqual([]);
  });

  it.each(Object.entries(KINDS))('with %s all but what K biases change', (_, kind) => {
    const late = lateOf(fixture('qwen2'), kind, { biasPairs: [4] });
    expect(late.length).toBeGreaterThan(0);
    for (const name of late) expect(name).toMatch(/attention|rope_append|key_bias/);
  });
});

describe('a pipeline that is asked for by a key', () => {
  const program = { name: 'test', source: '#if A\nx\n#endif', params: {}, bindings: [] } as const;

  it('is the one of its defines, which are put together once', () => {
    const cache = new PipelineCache(device, true);
    const defines = vi.fn(() => ({ A: true }));
    const handle = cache.requestOnce(program, 'a', defines);
    expect(cache.requestOnce(program, 'a', defines)).toBe(handle);
    expect(defines).toHaveBeenCalledTimes(1);
    expect(cache.request(program, { A: true })).toBe(handle);
    expect(cache.requestOnce(program, 'b', () => ({ A: false }))).not.toBe(handle);
    expect(cache.requestOnce({ ...program }, 'a', () => ({ A: false }))).not.toBe(handle);
  });

  it('is refused in tests where the key says too little', () => {
    PipelineCache.checksKeys = true;
    const cache = new PipelineCache(device, true);
    cache.requestOnce(program, 'a', () => ({ A: true }));
    expect(() => cache.requestOnce(program, 'a', () => ({ A: false }))).toThrow(
      /stands for different defines/,
    );
    PipelineCache.checksKeys = false;
  });
});

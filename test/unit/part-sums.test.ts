import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Dispatch } from '../../src/gpu/dispatch';
import { isNormedNext, type PartSums } from '../../src/kernels/part-sums';
import { type Graph, GraphBuilder } from '../../src/runner/graph';
import { NO_ASKS } from '../../src/runner/step-forward';
import type { StepGraphs } from '../../src/runner/step-graphs';
import { packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { RANDOM_SHAPES } from '../../src/weights/random-shapes';
import { ARCHITECTURES, configOf, fixture, gpuOf, graphsOf, KINDS, type Kind, SHAPES } from './fake-steps';

const BOTH = KINDS['both kinds of matrices'] as Kind;
const BYTES = Object.entries(KINDS).filter(([, { byteMatrices }]) => byteMatrices);

function dispatchesOf(graphs: readonly Graph[]): readonly Dispatch[] {
  return graphs.flatMap(({ runs }) => runs.flatMap(({ dispatches }) => dispatches));
}

const PRODUCT = 'gemm_integer';
const nameOf = ({ pipeline }: Dispatch) => pipeline.label.split(' ')[0] ?? '';
const preparesRows = (name: string) => name === 'sum_integer_rows' || name === 'sum_few_rows';
const isSum = (name: string) => name === 'sum_parts' || preparesRows(name);
const partsOf = (dispatch: Dispatch) => (nameOf(dispatch) === 'gemm_integer' ? dispatch.workgroups[2] : 1);

/** Throws unless each product in parts is summed by what comes right behind it, with its parts, and nothing else is. */
function checkSums(what: string, dispatches: readonly Dispatch[]): readonly string[] {
  const names = dispatches.map(nameOf);
  for (const [i, dispatch] of dispatches.entries()) {
    const [name = '', next = 'the end'] = names.slice(i);
    const parts = partsOf(dispatch);
    expect(isSum(next), `${what}: ${next} behind ${name} in ${parts} parts`).toBe(parts > 1);
    // num_parts of each of the programs
    if (parts > 1) expect(dispatches[i + 1]?.params[3], what).toBe(parts);
    if (preparesRows(name)) expect(next, what).toBe('gemm_integer');
  }
  return names;
}

/** Names of the dispatches of steps of many shapes, whole and in parts. */
function checkSteps(what: string, graphs: StepGraphs): readonly string[] {
  const names: string[] = [];
  for (const chunkRows of [0, 8, 33, 128])
    for (const decodeRows of [0, 1, 8]) {
      const decode = decodeRows === 0 ? null : { numRows: decodeRows, position: 500, asks: NO_ASKS };
      for (const sample of [true, false]) {
        const parts = [{ numRows: chunkRows, startPosition: 400 }];
        const rest = { parts, totalTokens: 400 + chunkRows, verifies: false, asks: NO_ASKS };
        const chunk = chunkRows === 0 ? null : { ...rest, numRows: chunkRows, numSampled: sample ? 1 : 0 };
        const shape = `${what}, ${chunkRows} and ${decodeRows} rows`;
        names.push(...checkSums(shape, dispatchesOf([graphs.step(chunk, decode)])));
        const graphsInParts: Graph[] = [];
        graphsInParts.push(graphs.step(chunk, decode, (part) => graphsInParts.push(part)));
        checkSums(`${shape}, in parts`, dispatchesOf(graphsInParts));
        if (chunk) checkSums(`${shape}, head`, dispatchesOf([graphs.head(chunk, 0, chunkRows)]));
      }
    }
  return names;
}

beforeAll(() => {
  vi.stubGlobal('GPUShaderStage', { COMPUTE: 4 });
});
afterAll(() => {
  vi.unstubAllGlobals();
});

describe.each(BYTES)('sums over parts of K, with %s', (_, kind) => {
  it('are finished once, whatever the architecture', { timeout: 60_000 }, () => {
    const gpu = gpuOf(kind);
    const made = new Set<string>();
    const models = [
      ...ARCHITECTURES.map((name) => [name, fixture(name)] as const),
      ...SHAPES.map((name) => [name, configOf(RANDOM_SHAPES[name])] as const),
    ];
    for (const [name, config] of models)
      for (const permuted of [false, true])
        for (const kernel of checkSteps(name, graphsOf(config, gpu, { permuted }))) made.add(kernel);
    expect([...made].filter(isSum).sort()).toEqual(['sum_few_rows', 'sum_integer_rows', 'sum_parts']);
  });
});

describe('eight rows of a model of 1.5B', () => {
  it('sum and prepare in one dispatch', () => {
    const config = configOf(RANDOM_SHAPES['qwen2.5-1.5b']);
    const graphs = graphsOf(config, gpuOf(BOTH), {});
    const step = graphs.step(null, { numRows: 8, position: 300, asks: NO_ASKS });
    const names = dispatchesOf([step]).map(nameOf);
    const layer = [
      // The second product brings its rows into integers itself.
      ...['sum_few_rows', PRODUCT, PRODUCT],
      // Attention finishes its heads, and prepares the rows of the output.
      ...['sum_few_rows', PRODUCT, 'decode_attention', PRODUCT],
    ];
    expect(names.slice(names.indexOf('sum_few_rows')).slice(0, layer.length)).toEqual(layer);
  });
});

describe('what is left to the next', () => {
  const place = { slab: 0, byteOffset: 0 };
  const weight = { ...packedLinear('a', 'w4', 256, 512), ...place };
  const call = { weight, numRows: 3, inAt: 0, outAt: 4096, residualAt: 4096 };
  const sums: PartSums = { call, partsAt: 8192, parts: 2 };
  const norm = { weight: { ...packedVector('g', 256), ...place }, eps: 1e-5 };
  const next = {
    weight: { ...packedLinear('b', 'w4', 64, 256), ...place },
    numRows: 3,
    inAt: 4096,
    outAt: 0,
    norm,
  };
  const other: Dispatch = {
    pipeline: {
      label: 'other',
      bindings: [],
      pipeline: {} as GPUComputePipeline,
      compiled: Promise.resolve(),
    },
    params: new Uint32Array(0),
    workgroups: [1, 1, 1],
  };
  const builderOf = () =>
    new GraphBuilder(
      gpuOf(BOTH),
      () => ({}) as GPUBindGroup,
      () => 0,
    );
  const namesOf = (builder: GraphBuilder) => dispatchesOf([builder.build()]).map(nameOf);

  it('is finished before anything else, and at the end', () => {
    const builder = builderOf();
    builder.leaveSums(sums);
    builder.push([other], 0);
    builder.leaveSums(sums);
    builder.leaveSums(sums);
    expect(namesOf(builder)).toEqual(['sum_parts', 'other', 'sum_parts', 'sum_parts']);
    expect(namesOf(builder)).toEqual([]);
  });

  it('belongs to whoever wants it', () => {
    const builder = builderOf();
    builder.leaveSums(sums);
    expect(builder.takeSums((left) => isNormedNext(left, { ...next, numRows: 2 }))).toBeNull();
    expect(builder.takeSums((left) => isNormedNext(left, next))).toBe(sums);
    expect(builder.takeSums(() => true)).toBeNull();
    expect(namesOf(builder)).toEqual([]);
  });

  it('is only for those that norm the same rows', () => {
    const { norm: _, ...plain } = next;
    const bias = { ...packedVector('bias', 256), slab: 1, byteOffset: 0 };
    expect(isNormedNext(sums, next)).toBe(true);
    expect(isNormedNext(sums, plain)).toBe(false);
    expect(isNormedNext(sums, { ...next, numRows: 2 })).toBe(false);
    expect(isNormedNext(sums, { ...next, inAt: 4096 + 256, numRows: 2 })).toBe(false);
    expect(isNormedNext(sums, { ...next, inStride: 512 })).toBe(false);
    expect(isNormedNext({ ...sums, call: { ...call, bias } }, next)).toBe(false);
  });
});

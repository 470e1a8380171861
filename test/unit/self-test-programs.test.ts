import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelConfig } from '../../src/models/config';
import { recordLinears } from '../../src/runner/self-test-linear';
import type { SelfTestPlaces } from '../../src/runner/self-test-memory';
import { SelfTestMemory } from '../../src/runner/self-test-memory';
import { recordParts } from '../../src/runner/self-test-parts';
import { warmShapes } from '../../src/runner/warm-shapes';
import { RANDOM_SHAPES } from '../../src/weights/random-shapes';
import {
  ARCHITECTURES,
  configOf,
  fixture,
  gpuOf,
  graphsOf,
  KINDS,
  type Kind,
  LIMITS,
  placesOf,
  SHAPES,
  type Wishes,
} from './fake-steps';

type Limits = typeof LIMITS;
const TIMEOUT_MS = 60_000;

/** What the self-test has of a load. */
function requestOf(config: ModelConfig, kind: Kind, wishes: Wishes, limits: Limits): SelfTestPlaces {
  const { tensors, kv } = placesOf(config, wishes);
  return {
    ...limits,
    gpu: gpuOf(kind),
    config,
    tensors,
    kv,
    keyBias: Array.from({ length: config.numLayers }, () => null),
  };
}

/** Labels of what it runs for products. */
function labelsOf(request: SelfTestPlaces) {
  const memory = new SelfTestMemory(request);
  const labels = [recordLinears(request, memory), recordParts(request, memory)].map((run) =>
    (run?.runs ?? []).flatMap(({ dispatches }) => dispatches.map(({ pipeline }) => pipeline.label)),
  );
  return { linears: labels[0] ?? [], parts: labels[1] ?? [] };
}

function kernelsOf(labels: readonly string[]): readonly string[] {
  return labels.map((label) => label.split(' ')[0] ?? '').filter((name) => !/^(embedding|gemv)$/.test(name));
}

function kernels(kind: string, wishes: Wishes = {}, limits: Limits = LIMITS) {
  const config = configOf(RANDOM_SHAPES['qwen2.5-1.5b']);
  const { linears, parts } = labelsOf(requestOf(config, KINDS[kind] as Kind, wishes, limits));
  return { linears: kernelsOf(linears), parts: kernelsOf(parts) };
}

beforeAll(() => {
  vi.stubGlobal('GPUShaderStage', { COMPUTE: 4 });
  vi.stubGlobal('GPUBufferUsage', {});
});
afterAll(() => {
  vi.unstubAllGlobals();
});

const HALVES = ['halve', 'gemm_matrix'];
const BYTES = ['integer_rows', 'gemm_integer'];
const PARTS = [...BYTES, 'sum_integer_rows', 'gemm_integer'];
/** Of so few rows that the product takes them as they are. */
const FEW_PARTS = ['gemm_integer', 'sum_few_rows', 'gemm_integer'];

describe('what the self-test multiplies several rows with', () => {
  it.each<[string, Wishes, readonly string[], readonly string[]]>([
    ['both kinds of matrices', {}, [...HALVES, ...BYTES], FEW_PARTS],
    ['both kinds of matrices', { weightBits: 8 }, [...HALVES, ...BYTES], FEW_PARTS],
    ['both kinds of matrices', { weightBits: 16 }, HALVES, []],
    ['matrices of halves', {}, HALVES, []],
    ['matrices of bytes', {}, BYTES, FEW_PARTS],
    ['matrices of bytes', { weightBits: 16 }, ['gemm'], []],
    ['no matrices', {}, ['gemm', 'stage_rows', 'gemv_rows'], []],
    ['no matrices', { weightBits: 8 }, ['gemm'], []],
    ['no subgroups', {}, ['gemm', 'stage_rows', 'gemv_rows'], []],
    ['software', {}, ['gemm'], []],
  ])('with %s (%o) is what steps do', (kind, wishes, linears, parts) => {
    expect(kernels(kind, wishes)).toEqual({ linears, parts });
  });

  it('follows the rows that steps have at most', () => {
    const both = 'both kinds of matrices';
    const short = { contextLength: 100, maxChunkTokens: 100, maxSlots: 8 };
    expect(kernels(both, {}, short)).toEqual({ linears: BYTES, parts: PARTS });
    const beside = kernels(both, {}, { ...short, maxSlots: 32 });
    expect(beside).toEqual({ linears: [...BYTES, ...HALVES], parts: PARTS });
  });
});

describe.each(Object.entries(KINDS))('with %s', (_, kind) => {
  it(
    'products compile nothing that steps would do without',
    () => {
      const models = [
        ...ARCHITECTURES.map((name) => [name, fixture(name)] as const),
        ...SHAPES.map((name) => [name, configOf(RANDOM_SHAPES[name])] as const),
      ];
      for (const [name, config] of models)
        for (const weightBits of [4, 8, 16] as const) {
          const request = requestOf(config, kind, { weightBits }, LIMITS);
          const { first, others } = warmShapes(request.gpu, LIMITS);
          const graphs = graphsOf(config, request.gpu, { weightBits });
          for (const shapes of [first, ...others]) graphs.request(shapes);
          const { size } = request.gpu.pipelines;
          const { linears, parts } = labelsOf(request);
          expect(request.gpu.pipelines.size, `${name}: ${kernelsOf([...linears, ...parts])}`).toBe(size);
        }
    },
    TIMEOUT_MS,
  );
});

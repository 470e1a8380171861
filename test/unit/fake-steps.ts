import { readFileSync } from 'node:fs';
import type { Gpu } from '../../src/gpu/device';
import { PipelineCache } from '../../src/gpu/pipeline';
import { type KvPool, kvLayout, type SlabPlan } from '../../src/kvcache/kv-pool';
import { WeightTable } from '../../src/layers/forward-context';
import type { KvBits } from '../../src/model-ref';
import type { ModelConfig } from '../../src/models/config';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { KeyBiasTables, type LayerKeyBias } from '../../src/runner/key-bias';
import { RopeTables } from '../../src/runner/rope-tables';
import { StepGraphs } from '../../src/runner/step-graphs';
import { permutedCols, planStepMemory } from '../../src/runner/step-memory';
import { layoutSlabs } from '../../src/weights/slab-layout';
import { packedTensors } from '../../src/weights/weight-identity';

/** The steps of models, on GPUs of all kinds that are not there. */

const FIXTURES = new URL('../fixtures/models/', import.meta.url);
export const ARCHITECTURES = [
  'ernie4_5',
  'exaone4',
  'gemma2',
  'gemma3-text',
  'glm4',
  'granite',
  'hunyuan-dense',
  'internlm2',
  'ministral3',
  'olmo2',
  'phi3-longrope',
  'qwen2',
  'smollm3',
];
/** Whose linears are large enough for every kernel. */
export const SHAPES = ['qwen2.5-1.5b', 'qwen3-0.6b', 'llama-3.1-8b'] as const;
export const CONTEXT_LENGTH = 4096;
export const LIMITS = { contextLength: CONTEXT_LENGTH, maxSlots: 32, maxChunkTokens: 2048 };
const MAX_LAYERS = 3;
/** A device that compiles nothing and keeps nothing. */
export const device = {
  limits: {
    maxComputeWorkgroupStorageSize: 49152,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxBufferSize: 2 ** 31,
  },
  queue: { writeBuffer: () => undefined },
  createBuffer: () => ({ destroy: () => undefined }),
  pushErrorScope: () => undefined,
  popErrorScope: () => Promise.resolve(null),
  createBindGroupLayout: () => ({}),
  createBindGroup: () => ({}),
  createPipelineLayout: () => ({}),
  createShaderModule: () => ({}),
  createComputePipeline: () => ({}),
  createComputePipelineAsync: () => Promise.resolve({}),
} as unknown as GPUDevice;

export type Kind = Pick<Gpu, 'matrices' | 'byteMatrices' | 'isSoftware' | 'math' | 'subgroupSize'>;

export const KINDS: Readonly<Record<string, Kind>> = {
  'both kinds of matrices': {
    math: 'f16',
    subgroupSize: 32,
    matrices: true,
    byteMatrices: true,
    isSoftware: false,
  },
  'matrices of halves': {
    math: 'f16',
    subgroupSize: 32,
    matrices: true,
    byteMatrices: false,
    isSoftware: false,
  },
  'matrices of bytes': {
    math: 'f32',
    subgroupSize: 32,
    matrices: false,
    byteMatrices: true,
    isSoftware: false,
  },
  'no matrices': { math: 'f32', subgroupSize: 32, matrices: false, byteMatrices: false, isSoftware: false },
  'no subgroups': { math: 'f32', subgroupSize: 0, matrices: false, byteMatrices: false, isSoftware: false },
  software: { math: 'f32', subgroupSize: 4, matrices: false, byteMatrices: false, isSoftware: true },
};

export function gpuOf(kind: Kind): Gpu {
  const defines = { F16: kind.math === 'f16', SUBGROUP_SIZE: kind.subgroupSize };
  return {
    ...kind,
    device,
    immediates: true,
    defines,
    pipelines: new PipelineCache(device, true),
  } as unknown as Gpu;
}

export interface Wishes {
  readonly kvBits?: KvBits;
  readonly weightBits?: 4 | 8 | 16;
  /** Every other linear has its columns in an order of its own. */
  readonly permuted?: boolean;
  /** Rotary pairs that layers keep out of their caches, in turn. */
  readonly biasPairs?: readonly (number | null)[];
  /** Default: one slab for all layers. */
  readonly plans?: readonly SlabPlan[];
}

/** A model as a load finds it: where its weights will lie, and how large the rest is. */
export function placesOf(config: ModelConfig, { kvBits = 8, weightBits = 4, permuted }: Wishes) {
  const architecture = architectureOf(config.modelType);
  const identity = { id: 'test', revision: '', weightBits, headBits: 8, groupSize: 128 } as const;
  const specs = architecture.weights(config);
  const forms = Object.fromEntries(
    specs
      .filter(({ kind, name }, i) => permuted && kind === 'linear' && name !== 'embed' && i % 2 === 0)
      .map(({ name }) => [name, { format: 'w4', groupSize: 32, permuted: true } as const]),
  );
  const tensors = specs.flatMap((spec) =>
    packedTensors(spec, identity, forms).map((packed) => ({ packed, group: spec.group })),
  );
  const { tensors: placed, slabs } = layoutSlabs(tensors, 2 ** 30);
  const { numLayers, numKvHeads, headDim } = config;
  return {
    architecture,
    tensors: new Map(placed.map((tensor) => [tensor.name, tensor])),
    numSlabs: slabs.length,
    kv: { numLayers, numKvHeads, headDim, kvBits, blockTokens: 16, numBlocks: 300 } as const,
  };
}

export function keyBiasOf(
  { numLayers, numKvHeads, headDim }: ModelConfig,
  { biasPairs = [null] }: Wishes,
): readonly (LayerKeyBias | null)[] {
  return Array.from({ length: numLayers }, (_, layer) => {
    const numPairs = biasPairs[layer % biasPairs.length] ?? null;
    const pairs = Array.from({ length: numKvHeads }, () => []);
    return numPairs === null ? null : { values: new Float32Array(numKvHeads * headDim), pairs, numPairs };
  });
}

export function graphsOf(config: ModelConfig, gpu: Gpu, wishes: Wishes): StepGraphs {
  const { architecture, tensors, numSlabs, kv } = placesOf(config, wishes);
  const layout = kvLayout(kv);
  const { plans = [{ firstLayer: 0, numLayers: config.numLayers, sizeBytes: 0 }] } = wishes;
  const pool = {
    layout,
    plans,
    slabs: plans.map(() => ({})),
    slabOf: (layer: number) => plans.findIndex(({ firstLayer, numLayers }) => layer < firstLayer + numLayers),
    layerAt: (layer: number) => layer * layout.layerWords,
  } as unknown as KvPool;
  const keyBias = new KeyBiasTables(config, keyBiasOf(config, wishes));
  const memory = planStepMemory(config, {
    ...LIMITS,
    blockTokens: kv.blockTokens,
    permutedCols: permutedCols(tensors.values()),
    keyBias: { tableWords: keyBias.words.length, rowFloats: keyBias.rowFloats },
  });
  return new StepGraphs({
    ...memory,
    gpu,
    config,
    architecture,
    pool,
    keyBias,
    weights: new WeightTable(tensors),
    slabs: Array.from({ length: numSlabs }, () => ({}) as GPUBuffer),
    scratch: {} as GPUBuffer,
    state: {} as GPUBuffer,
    ropes: new RopeTables(config.ropes),
  });
}

/** With so few layers that all kinds of them are there. */
export function configOf(text: string): ModelConfig {
  const config = parseModelConfig(text);
  return { ...config, numLayers: Math.min(config.numLayers, MAX_LAYERS) };
}

export const fixture = (name: string) =>
  configOf(readFileSync(new URL(`${name}/config.json`, FIXTURES), 'utf8'));

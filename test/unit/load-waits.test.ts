import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import { PipelineCache } from '../../src/gpu/pipeline';
import { KvPool } from '../../src/kvcache/kv-pool';
import { loadParts } from '../../src/llm/model-parts';
import { ModelRunner } from '../../src/runner/model-runner';
import { RANDOM_SHAPES } from '../../src/weights/random-shapes';
import { weightIdentity } from '../../src/weights/weight-identity';
import {
  device as bareDevice,
  configOf,
  gpuOf,
  KINDS,
  type Kind,
  keyBiasOf,
  LIMITS,
  placesOf,
} from './fake-steps';

/** Loads on GPUs that are not there. They compute nothing, so a load ends with what the self-test says to that. */

const CONFIG = JSON.stringify({ ...JSON.parse(RANDOM_SHAPES['qwen2.5-1.5b']), num_hidden_layers: 2 });

/** Takes everything and does nothing. */
const anything: unknown = new Proxy(() => undefined, {
  get: (_, key) => (key === 'then' ? undefined : anything),
  apply: () => anything,
});

/** `compile`: when the pipeline of that label is done. */
function gpuThat(kind: Kind, compile: (label: string) => Promise<unknown>): Gpu {
  const device = {
    ...bareDevice,
    limits: { ...bareDevice.limits, maxStorageBufferBindingSize: 2 ** 31 },
    queue: {
      writeBuffer: () => undefined,
      submit: () => undefined,
      onSubmittedWorkDone: async () => undefined,
    },
    createBuffer: ({ size }: GPUBufferDescriptor) => ({
      size,
      mapAsync: async () => undefined,
      getMappedRange: () => new ArrayBuffer(size),
      unmap: () => undefined,
      destroy: () => undefined,
    }),
    createCommandEncoder: () => anything,
    createComputePipelineAsync: ({ label = '' }: GPUComputePipelineDescriptor) => compile(label),
  } as unknown as GPUDevice;
  return { ...gpuOf(kind), device, pipelines: new PipelineCache(device, true) };
}

/** A load of random weights, up to the verdict of the self-test; and what it had asked for when they were there. */
async function loadOn(
  kind: Kind,
  compile: (label: string) => Promise<unknown>,
  tokenizer: string | null = null,
) {
  const ahead = new Set<string>();
  let isAhead = true;
  const gpu = gpuThat(kind, (label) => {
    if (isAhead) ahead.add(label);
    return compile(label);
  });
  const options = { contextLength: 4096 };
  const loading = loadParts({
    ...{ gpu, options, store: null, randomSeed: 1 },
    source: anything as Parameters<typeof loadParts>[0]['source'],
    identity: weightIdentity({ id: 'test', url: '' }, options),
    texts: {
      ...{ config: CONFIG, generationConfig: null, tokenizer },
      ...{ tokenizerConfig: null, chatTemplate: null },
    },
    onProgress: ({ phase }) => {
      if (phase === 'compile') isAhead = false;
    },
    signal: new AbortController().signal,
  });
  const error: unknown = await loading.catch((thrown: unknown) => thrown);
  return { ahead, error };
}

beforeAll(() => {
  vi.stubGlobal('GPUShaderStage', { COMPUTE: 4 });
  vi.stubGlobal('GPUBufferUsage', {});
  vi.stubGlobal('GPUMapMode', {});
});
afterAll(() => {
  vi.unstubAllGlobals();
});

describe.each(Object.entries(KINDS))('a load with %s', { timeout: 60_000 }, (_, kind) => {
  it('waits for nothing that only later steps need, and asks for nothing late', async () => {
    const { ahead } = await loadOn(kind, async () => ({}));
    const late: string[] = [];
    const { error } = await loadOn(kind, (label) => {
      if (ahead.has(label)) return Promise.resolve({});
      late.push(label);
      return new Promise(() => undefined);
    });
    expect(error).toMatchObject({ code: 'wrong-arithmetic' });
    expect(late).toEqual([]);
  });

  it('waits for what its first steps need, all at once', async () => {
    const finish: (() => void)[] = [];
    let isOver = false;
    const loading = loadOn(kind, (label) =>
      label.startsWith('random_fill')
        ? Promise.resolve({})
        : new Promise((resolve) => finish.push(() => resolve({}))),
    ).then((outcome) => {
      isOver = true;
      return outcome;
    });
    await vi.waitFor(() => expect(finish.length).toBeGreaterThan(10));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isOver).toBe(false);
    for (const end of finish) end();
    const { ahead } = await loading;
    expect(finish.length).toBe([...ahead].filter((label) => !label.startsWith('random_fill')).length);
  });

  it('reads the vocabulary while pipelines compile', async () => {
    const { ahead, error } = await loadOn(kind, async () => ({}), '{}');
    expect(error).toMatchObject({ code: 'bad-tokenizer' });
    expect(ahead.size).toBeGreaterThan(10);
  });
});

describe('a runner', () => {
  const kind = KINDS['both kinds of matrices'] as Kind;

  /** With the programs of its first steps. */
  async function warmRunner(compile: (label: string) => Promise<unknown>) {
    const gpu = gpuThat(kind, compile);
    const config = configOf(CONFIG);
    const { architecture, tensors, numSlabs, kv } = placesOf(config, {});
    const runner = await ModelRunner.create({
      ...{ ...LIMITS, gpu, config, architecture, tensors, keyBias: keyBiasOf(config, {}) },
      slabs: Array.from({ length: numSlabs }, () => ({}) as GPUBuffer),
      pool: await KvPool.allocate(gpu, kv),
    });
    await runner.warmUp();
    return { runner, pipelines: gpu.pipelines };
  }

  it('begins with what other steps need behind what is under way, and ends when it is given back', async () => {
    const { runner, pipelines } = await warmRunner(async () => ({}));
    const { size } = pipelines;
    const whole = runner.compileOthers();
    expect(pipelines.size).toBe(size);
    await vi.waitFor(() => expect(pipelines.size).toBeGreaterThan(size));
    const some = pipelines.size;
    await whole;
    expect(pipelines.size).toBeGreaterThan(some);
    const second = await warmRunner(async () => ({}));
    const cut = second.runner.compileOthers();
    second.runner.destroy();
    await cut;
    expect(second.pipelines.size).toBe(size);
  });

  it('waits for none of that where a step has all of its own', async () => {
    let isWarm = false;
    const { runner, pipelines } = await warmRunner(async () => (isWarm ? new Promise(() => undefined) : {}));
    isWarm = true;
    void runner.compileOthers();
    await vi.waitFor(() => expect(pipelines.size).toBeGreaterThan(30));
    const chunk = { slot: 0, startPosition: 0, blockTable: [0], sample: false, verifies: false };
    const batch = { ...chunk, tokenIds: Uint32Array.of(1), totalTokens: 1 };
    expect(await runner.score(batch, 1)).toHaveLength(0);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import { PipelineCache } from '../../src/gpu/pipeline';
import { loadParts } from '../../src/llm/model-parts';
import { RANDOM_SHAPES } from '../../src/weights/random-shapes';
import { weightIdentity } from '../../src/weights/weight-identity';
import { device as bareDevice, gpuOf, KINDS, type Kind } from './fake-steps';

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
async function loadOn(kind: Kind, compile: (label: string) => Promise<unknown>) {
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
      ...{ config: CONFIG, generationConfig: null, tokenizer: null },
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

describe.each(Object.entries(KINDS))('a load with %s', (_, kind) => {
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
});

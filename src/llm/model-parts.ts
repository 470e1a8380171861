import { type Gpu, hasMatrixUnits } from '../gpu/device';
import { KvPool } from '../kvcache/kv-pool';
import { lazyPart } from '../lazy-part';
import type { LoadOptions, ModelInfo, ModelRef } from '../model-ref';
import { type ModelConfig, parseJsonObject } from '../models/config';
import { architectureOf, parseModelConfig } from '../models/registry';
import { compileAhead } from '../runner/compile-ahead';
import { readKeyBias } from '../runner/key-bias';
import { ModelRunner } from '../runner/model-runner';
import { selfTest } from '../runner/self-test';
import type { PlacedTensors } from '../weights/packed-tensor';
import type { ModelSource, ModelTexts } from '../weights/source';
import type { WeightIdentity } from '../weights/weight-identity';
import { type LoadedWeights, loadWeights } from '../weights/weight-loader';
import type { WeightStore } from '../weights/weight-store';
import { generationDefaults } from './generation-defaults';
import { findPoolRoom } from './gpu-room';
import { loadShape } from './load-shape';
import type { LoadStep } from './progress-meter';
import { sessionKey } from './session-key';
import type { TextModel } from './text-model';

/** What a load begins with. */
export interface Ingredients {
  readonly gpu: Gpu;
  readonly source: ModelSource;
  readonly store: WeightStore | null;
  readonly identity: WeightIdentity;
  readonly texts: ModelTexts;
  readonly randomSeed: number | null;
  readonly options: LoadOptions;
  readonly onProgress: (progress: LoadStep) => void;
  readonly signal: AbortSignal;
}

/** What a model in memory is put together from. */
export interface ModelParts {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly generation: Readonly<Record<string, unknown>>;
  readonly text: TextModel | null;
  readonly weights: LoadedWeights;
  readonly pool: KvPool;
  readonly runner: ModelRunner;
  readonly contextLength: number;
  readonly sessionKey: string;
  readonly warnings: readonly string[];
}

/** Config → weights (cache or conversion) → KV pool → pipelines. Throws TabmindError or the signal's reason. */
export async function loadParts(from: Ingredients): Promise<ModelParts> {
  const { gpu, texts, options, onProgress, signal } = from;
  const config = parseModelConfig(texts.config, texts.generationConfig);
  const generation = texts.generationConfig
    ? parseJsonObject('generation_config.json', texts.generationConfig)
    : {};
  const architecture = architectureOf(config.modelType);
  const readText = await textReader(texts, config.vocabSize);
  const room = { matrices: hasMatrixUnits(gpu) };
  // Reading a vocabulary takes this thread some tenths of a second, in which pipelines compile already.
  const onPlaced = (tensors: PlacedTensors) => {
    compileAhead({ gpu, config, architecture, tensors, ...loadShape(config, options, room) });
    readText();
  };
  const request = { ...from, specs: architecture.weights(config), onPlaced };
  const weights =
    from.randomSeed === null
      ? await loadWeights(request)
      : await (await lazyPart(() => import('../weights/random-weights'))).randomWeights({
          ...request,
          seed: from.randomSeed,
        });
  const freeBytes = await findPoolRoom(gpu, config, options);
  const { kv, ...shape } = loadShape(config, options, { ...room, freeBytes });
  const pool = await KvPool.allocate(gpu, kv);
  onProgress({ phase: 'compile', loadedBytes: 0, totalBytes: 0 });
  const placed = { gpu, config, tensors: weights.placed, slabs: weights.slabs, ...shape };
  const model = { ...placed, keyBias: await readKeyBias(placed) };
  const runner = await ModelRunner.create({ ...model, architecture, pool });
  await Promise.all([runner.warmUp(), selfTest({ ...model, kv: pool.shape })]);
  signal.throwIfAborted();
  const text = readText();
  const textWarnings = text?.tokenizer.warnings ?? [
    'There is no tokenizer.json: the model takes token ids only.',
  ];
  return {
    gpu,
    config,
    generation,
    text,
    weights,
    pool,
    runner,
    contextLength: shape.contextLength,
    sessionKey: sessionKey(from.identity, from.randomSeed, pool.shape),
    warnings: [...weights.warnings, ...textWarnings],
  };
}

/** What reads the texts, once. */
async function textReader(texts: ModelTexts, vocabSize: number): Promise<() => TextModel | null> {
  const { tokenizer } = texts;
  if (tokenizer === null) return () => null;
  const { TextModel } = await lazyPart(() => import('./text-model'));
  let text: TextModel | undefined;
  return () => (text ??= new TextModel({ ...texts, tokenizer }, vocabSize));
}

/** What a page is told of a model. */
export function describe(
  model: ModelRef,
  options: LoadOptions,
  parts: ModelParts,
  loadMs: number,
): ModelInfo {
  const { config, generation, weights, pool, gpu, contextLength, warnings } = parts;
  let parameters = 0;
  for (const { rows, cols } of weights.placed.values()) parameters += rows * cols;
  return {
    id: model.id,
    architecture: config.modelType,
    parameters,
    contextLength,
    vocabSize: config.vocabSize,
    weightBytes: weights.bytes,
    kvBits: pool.shape.kvBits,
    weightBits: options.weightBits ?? 4,
    math: gpu.math,
    defaults: generationDefaults(generation),
    fromCache: weights.fromCache,
    cacheRead: weights.cacheRead,
    loadMs,
    warnings,
  };
}

import { Engine } from '../engine/engine';
import { type Gpu, openGpu } from '../gpu/device';
import { KvPool } from '../kvcache/kv-pool';
import type { LoadOptions, ModelInfo, ModelRef } from '../model-ref';
import { type ModelConfig, parseJsonObject } from '../models/config';
import { architectureOf, parseModelConfig } from '../models/registry';
import { fixedLength } from '../models/rope';
import type { EngineStats, KernelTime, ScoreRequest, StepShape } from '../protocol';
import { readKeyBias } from '../runner/key-bias';
import { ModelRunner } from '../runner/model-runner';
import { selfTest } from '../runner/self-test';
import type { LoadGate } from '../weights/load-gate';
import type { ModelSource, ModelTexts } from '../weights/source';
import type { WeightIdentity } from '../weights/weight-identity';
import { type LoadedWeights, loadWeights } from '../weights/weight-loader';
import type { WeightStore } from '../weights/weight-store';
import { openCheckpoint } from './checkpoint';
import { generationDefaults } from './generation-defaults';
import { findPoolRoom } from './gpu-room';
import { lazyPart } from './lazy-part';
import { loadShape } from './load-shape';
import type { LoadStep } from './progress-meter';
import { savedSessions } from './saved-sessions';
import { sessionKey } from './session-key';
import type { TextModel } from './text-model';
import { chooseWhenIdle, residentLayers } from './tuning';

/** Everything that one model in memory consists of. */
export class LoadedModel {
  readonly info: ModelInfo;
  readonly engine: Engine;
  /** null for a checkpoint without tokenizer.json: it takes ids only. */
  readonly text: TextModel | null;
  readonly #gpu: Gpu;
  readonly #runner: ModelRunner;
  readonly #pool: KvPool;
  readonly #weights: LoadedWeights;
  readonly #sessionKey: string;
  #isTuned = true;
  #isClosed = false;

  private constructor(parts: Parts, info: ModelInfo) {
    const { gpu, config, runner, pool, weights, text } = parts;
    this.info = info;
    this.text = text;
    this.#gpu = gpu;
    this.#runner = runner;
    this.#pool = pool;
    this.#weights = weights;
    this.#sessionKey = parts.sessionKey;
    this.engine = new Engine(runner, {
      numBlocks: pool.shape.numBlocks,
      blockTokens: pool.shape.blockTokens,
      contextLength: info.contextLength,
      eosTokenIds: config.eosTokenIds,
      // Beyond its fixed length, a rope turns every key by the length of the whole prompt.
      maxSharedTokens: Math.min(...config.ropes.map(fixedLength)),
    });
    gpu.onError((error) => this.engine.fail(error));
    void gpu.lost.then((error) => this.engine.fail(error));
  }

  /** Config → weights (cache or conversion) → KV pool → pipelines. Throws TabmindError; nothing stays allocated then. */
  static async load(
    model: ModelRef,
    options: LoadOptions,
    onProgress: (progress: LoadStep) => void,
    signal: AbortSignal,
    gate: LoadGate,
  ): Promise<LoadedModel> {
    const start = performance.now();
    const gpu = await openGpu({ math: options.math ?? 'auto' });
    try {
      const checkpoint = await openCheckpoint(model, options, signal, gate);
      const parts = await loadParts({ gpu, ...checkpoint, options, onProgress, signal });
      await checkpoint.deleteOldVersions();
      const info = describe(model, options, parts, performance.now() - start);
      onProgress({ phase: 'ready', loadedBytes: info.weightBytes, totalBytes: info.weightBytes });
      const loaded = new LoadedModel(parts, info);
      const { runner } = parts;
      if (options.resident) await (await residentLayers(runner)).use(options.resident);
      else if (options.resident === undefined && !gpu.isSoftware) {
        loaded.#isTuned = false;
        const { engine } = loaded;
        void chooseWhenIdle({ runner, engine, isClosed: () => loaded.#isClosed }).finally(() => {
          loaded.#isTuned = true;
        });
      }
      return loaded;
    } catch (thrown) {
      // Destroying the device frees whatever was allocated on it.
      gpu.destroy();
      throw thrown;
    }
  }

  /** Teacher-forced logits, f32 [positions][vocabSize]. */
  score(ids: readonly number[], positions: ScoreRequest['positions']): Promise<Float32Array> {
    const { maxChunkTokens } = this.#runner;
    const { vocabSize } = this.info;
    return this.engine.borrow(ids.length, async ({ slot, blockTable }) => {
      const firstWanted = positions === 'all' ? 0 : ids.length - 1;
      const logits = new Float32Array((ids.length - firstWanted) * vocabSize);
      for (let startPosition = 0; startPosition < ids.length; startPosition += maxChunkTokens) {
        const tokenIds = Uint32Array.from(ids.slice(startPosition, startPosition + maxChunkTokens));
        const firstRow = Math.min(tokenIds.length, Math.max(0, firstWanted - startPosition));
        const batch = {
          slot,
          tokenIds,
          startPosition,
          totalTokens: ids.length,
          blockTable: blockTable.blockIds,
          sample: false,
          verifies: false,
        } as const;
        const rows = await this.#runner.score(batch, firstRow);
        if (rows.length > 0) logits.set(rows, (startPosition + firstRow - firstWanted) * vocabSize);
      }
      return logits;
    });
  }

  /** Of made-up tokens in a lent place. */
  profile(position: number, { decodeRows, chunkTokens }: StepShape): Promise<readonly KernelTime[]> {
    return this.engine.borrow(position + Math.max(1, chunkTokens), ({ slot, blockTable }) => {
      const row = { slot, position, blockTable: blockTable.blockIds, tokenId: 0 };
      const chunk = { ...row, startPosition: position, totalTokens: position + chunkTokens };
      const prefill = { ...chunk, tokenIds: new Uint32Array(chunkTokens), sample: false, verifies: false };
      return this.#runner.profile({
        copies: [],
        rows: Array.from({ length: decodeRows }, () => row),
        prefill: chunkTokens > 0 ? prefill : null,
      });
    });
  }

  async measureReadSpeed(): Promise<number> {
    const { measureReadSpeed } = await lazyPart(() => import('../runner/read-speed'));
    return this.engine.borrow(1, () => measureReadSpeed(this.#gpu));
  }

  /**
   * Keeps what a session holds on the GPU for later visits; only blocks that are not stored yet are read back. False when it
   * holds nothing, or more than `maxBytes`, or another tab saved it at the same moment.
   */
  async saveSession(id: string, maxBytes = Number.POSITIVE_INFINITY): Promise<boolean> {
    const store = await savedSessions();
    const { blockBytes, blockTokens } = this.#pool.layout;
    const change = await this.engine.sessions.read(id, async ({ blockTable, tokenIds }) => {
      const { blockIds } = blockTable;
      // before anything of it is read back
      if (blockIds.length * blockBytes > maxBytes) return null;
      const unchanged = await store.unchangedBlocks(id, this.#sessionKey, tokenIds, blockTokens);
      const contents = await this.#pool.readBlocks(blockIds.slice(unchanged.length));
      return { tokenIds, unchanged, contents, blockBytes };
    });
    return change !== null && store.write(id, this.#sessionKey, change, maxBytes);
  }

  /**
   * Tokens that need not be computed again; 0 when nothing of this model was saved whole, there is no room, or the model was
   * closed while the storage was read.
   */
  async restoreSession(id: string): Promise<number> {
    const { sessions } = this.engine;
    const saved = await (await savedSessions()).read(id, this.#sessionKey);
    if (this.#isClosed) return 0;
    // What is there is newer than what was saved.
    const present = sessions.find(id);
    if (present !== null) return present.tokenIds.length;
    if (saved === null) return 0;
    const { tokenIds, contents } = saved;
    const write = (blockIds: readonly number[]) => this.#pool.writeBlocks(blockIds, contents);
    return sessions.restore(id, tokenIds, write) ? tokenIds.length : 0;
  }

  stats(): EngineStats {
    const { dispatches, bindings } = this.#runner.decodeCost();
    return {
      ...this.engine.stats(),
      model: this.info,
      gpu: this.#gpu.info,
      weightBytes: this.#weights.bytes,
      kvBytes: this.#pool.bytes,
      isTuned: this.#isTuned,
      dispatchesPerDecodeStep: dispatches,
      bindingsPerDispatch: bindings,
      weightBytesPerStep: bytesPerStep(this.#weights),
      kvBytesPerToken: this.#pool.bytes / (this.#pool.shape.numBlocks * this.#pool.shape.blockTokens),
    };
  }

  /** Ends all requests and gives the GPU memory back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.engine.close();
    this.#runner.destroy();
    this.#pool.destroy();
    for (const slab of this.#weights.slabs) slab.destroy();
    this.#gpu.destroy();
  }
}

/** All but an embedding that has a table of its own, of which a step reads single rows. */
function bytesPerStep({ placed }: LoadedWeights): number {
  let bytes = 0;
  for (const { name, totalBytes } of placed.values())
    if (name !== 'embed' || !placed.has('lm_head')) bytes += totalBytes;
  return bytes;
}

interface Ingredients {
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

interface Parts {
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

async function loadParts(from: Ingredients): Promise<Parts> {
  const { gpu, texts, options, onProgress, signal } = from;
  const config = parseModelConfig(texts.config, texts.generationConfig);
  const generation = texts.generationConfig
    ? parseJsonObject('generation_config.json', texts.generationConfig)
    : {};
  const architecture = architectureOf(config.modelType);
  const text = texts.tokenizer === null ? null : await readText(texts, texts.tokenizer, config.vocabSize);
  const request = { ...from, specs: architecture.weights(config) };
  const weights =
    from.randomSeed === null
      ? await loadWeights(request)
      : await (await lazyPart(() => import('../weights/random-weights'))).randomWeights({
          ...request,
          seed: from.randomSeed,
        });
  const freeBytes = await findPoolRoom(gpu, config, options);
  const matrices = gpu.matrices || gpu.byteMatrices;
  const { kv, ...shape } = loadShape(config, options, { matrices, freeBytes });
  const pool = await KvPool.allocate(gpu, kv);
  onProgress({ phase: 'compile', loadedBytes: 0, totalBytes: 0 });
  const placed = { gpu, config, tensors: weights.placed, slabs: weights.slabs, ...shape };
  const model = { ...placed, keyBias: await readKeyBias(placed) };
  const runner = await ModelRunner.create({ ...model, architecture, pool });
  await runner.warmUp();
  await selfTest({ ...model, kv: pool.shape });
  signal.throwIfAborted();
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

async function readText(texts: ModelTexts, tokenizer: string, vocabSize: number): Promise<TextModel> {
  const { TextModel } = await lazyPart(() => import('./text-model'));
  return new TextModel({ ...texts, tokenizer }, vocabSize);
}

function describe(model: ModelRef, options: LoadOptions, parts: Parts, loadMs: number): ModelInfo {
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

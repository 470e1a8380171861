import { Engine } from '../engine/engine';
import { TabmindError } from '../errors';
import { type Gpu, openGpu } from '../gpu/device';
import type { KvPool } from '../kvcache/kv-pool';
import { lazyPart } from '../lazy-part';
import type { LoadOptions, ModelInfo, ModelRef } from '../model-ref';
import { fixedLength } from '../models/rope';
import type { EngineStats, KernelTime, ScoreRequest, StepShape } from '../protocol';
import type { ModelRunner } from '../runner/model-runner';
import type { LoadGate } from '../weights/load-gate';
import type { LoadedWeights } from '../weights/weight-loader';
import { type Checkpoint, openCheckpoint } from './checkpoint';
import { KeptTuning, tuningKey } from './kept-tuning';
import { describe, loadParts, type ModelParts } from './model-parts';
import type { LoadStep } from './progress-meter';
import { savedSessions } from './saved-sessions';
import type { TextModel } from './text-model';
import { residentLayers, tune } from './tuning';

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

  private constructor(parts: ModelParts, info: ModelInfo) {
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
      // Not while the GPU opens, which may take a slow computer seconds: the version of a source is not waited for that long.
      const checkpoint = await openCheckpoint(model, options, signal, gate);
      const parts = await loadParts({ gpu, ...checkpoint, options, onProgress, signal });
      await checkpoint.deleteOldVersions();
      const info = describe(model, options, parts, performance.now() - start);
      onProgress({ phase: 'ready', loadedBytes: info.weightBytes, totalBytes: info.weightBytes });
      const loaded = new LoadedModel(parts, info);
      if (options.resident) await (await residentLayers(parts.runner)).use(options.resident);
      loaded.#complete(options.resident === undefined && !gpu.isSoftware ? checkpoint : null);
      return loaded;
    } catch (thrown) {
      // Destroying the device frees whatever was allocated on it.
      gpu.destroy();
      throw thrown;
    }
  }

  /** Goes on in the background. null: nothing is tried out. */
  #complete(tuned: Checkpoint | null): void {
    const runner = this.#runner;
    this.#isTuned = false;
    const others = runner.compileOthers().catch((thrown: unknown) => {
      if (!this.#isClosed) this.engine.fail(TabmindError.from(thrown));
    });
    const all =
      tuned === null
        ? others
        : tune({
            runner,
            others,
            engine: this.engine,
            kept:
              tuned.store &&
              new KeptTuning(tuned.store, tuned.identity, tuningKey(this.#gpu, this.#pool.shape.kvBits)),
            layers: () => residentLayers(runner),
            isClosed: () => this.#isClosed,
          });
    void all
      .then(() => others)
      .finally(() => {
        this.#isTuned = true;
      });
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
        prefills: chunkTokens > 0 ? [prefill] : [],
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

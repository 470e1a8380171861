import type { Engine, LoadOptions, LoadProgress, ModelInfo, ModelRef } from '../../src/index';
import type { LoadResult } from './report';

export interface TimedLoad {
  readonly info: ModelInfo;
  readonly result: LoadResult;
}

/** Loads and notes when the weights were there: the phases of a load after them are 'compile' and 'ready'. */
export async function timeLoad(
  engine: Engine,
  model: ModelRef,
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void,
  signal?: AbortSignal,
): Promise<TimedLoad> {
  const startMs = performance.now();
  let [weightsMs, checkpointBytes] = [0, 0];
  const info = await engine.load(model, {
    ...options,
    ...(signal ? { signal } : {}),
    onProgress: (progress) => {
      onProgress(progress);
      const { phase, totalBytes } = progress;
      if (phase === 'download') checkpointBytes = totalBytes;
      if (weightsMs === 0 && (phase === 'compile' || phase === 'ready'))
        weightsMs = performance.now() - startMs;
    },
  });
  const totalMs = performance.now() - startMs;
  // the last message of a load may still be on its way
  const ms = weightsMs || totalMs;
  const from = model.kind === 'random' ? 'random' : info.fromCache ? 'cache' : 'checkpoint';
  const bytes = from === 'checkpoint' ? checkpointBytes : info.weightBytes;
  return { info, result: { from, totalMs, weightsMs: ms, bytes, bytesPerSecond: (bytes * 1000) / ms } };
}

/**
 * Options whose KV pool holds `maxSequences` whole contexts, so that no sequence of a benchmark is preempted. The pool of
 * a model that takes one sequence is one context: that is asked for.
 */
export async function withRoom(engine: Engine, model: ModelRef, options: LoadOptions): Promise<LoadOptions> {
  const { maxSequences = 1 } = options;
  const { kvBytes } = await engine.inspect(model, { ...options, maxSequences: 1 });
  return { ...options, kvPoolMiB: Math.ceil((kvBytes * maxSequences) / 2 ** 20) };
}

import type { Engine, Timings } from '../../src/index';

/** When things happened to one request, by the page's clock. */
export interface TimedRequest {
  readonly startMs: number;
  /** One for every token of the completion. */
  readonly arrivalsMs: readonly number[];
  /** By the engine's clock. */
  readonly timings: Timings;
}

/** Sends one greedy request and notes when each token arrives at the page. Throws when tokens are missing. */
export async function timeRequest(
  engine: Engine,
  ids: readonly number[],
  completionTokens: number,
  signal?: AbortSignal,
): Promise<TimedRequest> {
  const arrivalsMs: number[] = [];
  const onTokens = (tokens: readonly number[]) => {
    const nowMs = performance.now();
    for (const _ of tokens) arrivalsMs.push(nowMs);
  };
  const request = {
    ids,
    max_tokens: completionTokens,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false,
    // random prompts may lead to answers that repeat themselves, which says nothing about a model in use
    speculative: 'off',
  } as const;
  const startMs = performance.now();
  const { timings } = await engine.generate(request, { onTokens, ...(signal ? { signal } : {}) });
  signal?.throwIfAborted();
  if (arrivalsMs.length !== completionTokens)
    throw new Error(`${arrivalsMs.length} tokens arrived, ${completionTokens} were asked for.`);
  return { startMs, arrivalsMs, timings };
}

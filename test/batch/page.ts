/** The browser half of the batch check: many requests at once, through the engine as a page gets it. */

import {
  type ChatRequest,
  createEngine,
  type GenerateRequest,
  type GenerateResult,
  type LoadOptions,
  type ModelRef,
} from '../../src/index';

import { dispatchesOnceKept } from './tuned';

export interface BatchRequest {
  readonly ids: readonly number[];
  readonly maxTokens: number;
  /** Tokens that all requests together have generated when this one is sent. */
  readonly arrival: number;
  readonly priority: number;
}

let engine = createEngine();

async function load(model: ModelRef, options: LoadOptions) {
  engine.close();
  engine = createEngine();
  const info = await engine.load(model, options);
  return { info, gpu: (await engine.stats()).gpu };
}

const GREEDY = { temperature: 0, repetition_penalty: 1, ignore_eos: true } as const;

/** One after another, each computed from nothing. */
async function alone(requests: readonly BatchRequest[], wishes: Partial<GenerateRequest> = {}) {
  const results: (readonly number[])[] = [];
  for (const { ids, maxTokens } of requests) {
    const request = { ...GREEDY, ...wishes, ids, max_tokens: maxTokens, cache_prompt: false };
    results.push((await engine.generate(request)).ids);
  }
  return results;
}

/** `alone`, a token a step. */
function stepwise(requests: readonly BatchRequest[]) {
  return alone(requests, { speculative: 'off' });
}

/** All of them, each as soon as enough tokens have been generated. */
async function together(requests: readonly BatchRequest[]) {
  const before = await engine.stats();
  let numTokens = 0;
  const waiting = [...requests.entries()].sort(([, a], [, b]) => a.arrival - b.arrival);
  const results = await new Promise<GenerateResult[]>((resolve, reject) => {
    const pending: Promise<GenerateResult>[] = [];
    const send = () => {
      while (waiting[0] !== undefined && waiting[0][1].arrival <= numTokens) {
        const [index, { ids, maxTokens, priority }] = waiting[0];
        waiting.shift();
        const onTokens = (tokens: readonly number[]) => {
          numTokens += tokens.length;
          send();
        };
        pending[index] = engine.generate({ ...GREEDY, ids, max_tokens: maxTokens, priority }, { onTokens });
        pending[index].catch(reject);
      }
      if (waiting.length === 0) Promise.all(pending).then(resolve, reject);
    };
    send();
  });
  const after = await engine.stats();
  return {
    ids: results.map((result) => result.ids),
    cached: results.map(({ usage }) => usage.prompt_tokens_details.cached_tokens),
    itlP95Ms: Math.max(...results.map(({ timings }) => timings.itlP95Ms)),
    numPreemptions: after.numPreemptions - before.numPreemptions,
    prefixHitTokens: after.prefixHitTokens - before.prefixHitTokens,
    tokensPerStep: after.tokensPerStep,
    kvBlocksUsed: after.kvBlocksUsed,
  };
}

/** A turn of a conversation. */
async function turn(ids: readonly number[], maxTokens: number, session: string) {
  const { ids: completion, usage } = await engine.generate({
    ...GREEDY,
    ids,
    max_tokens: maxTokens,
    session,
  });
  return { ids: completion, cached: usage.prompt_tokens_details.cached_tokens };
}

/** Saves a session, starts over with a fresh worker and device, and brings it back; returns the tokens that came. */
async function reload(session: string, model: ModelRef, options: LoadOptions) {
  const isSaved = await engine.saveSession(session);
  await load(model, options);
  return { isSaved, numTokens: await engine.restoreSession(session) };
}

/** The texts of `n` answers to one prompt: greedy, or drawn with a seed. */
async function answers(content: string, n: number, maxTokens: number, seed?: number) {
  const texts = Array.from({ length: n }, () => '');
  const messages = [{ role: 'user', content }] as const;
  const drawn = seed === undefined ? {} : { seed, temperature: 1 };
  for await (const { choices } of engine.chat({ ...GREEDY, ...drawn, messages, n, max_tokens: maxTokens })) {
    const [{ index, delta }] = choices;
    texts[index] = (texts[index] ?? '') + (delta.content ?? '');
  }
  return texts;
}

/** What a chat request gives: its text, and how many tokens of it there are. */
async function said(content: string, wishes: Partial<ChatRequest>) {
  const request = { messages: [{ role: 'user', content }], temperature: 0, max_tokens: 12 } as const;
  let text = '';
  let numTokens = 0;
  for await (const { choices, usage } of engine.chat({ ...request, ...wishes })) {
    text += choices[0].delta.content ?? '';
    numTokens = usage?.completion_tokens ?? numTokens;
  }
  return { text, numTokens };
}

/** The ids of a greedy answer. */
async function answerIds(content: string) {
  const ids = await engine.renderChat([{ role: 'user', content }]);
  return (await engine.generate({ ...GREEDY, ids, max_tokens: 12 })).ids;
}

/** The ids of requests of which each asks for something else, one after another or all at once. */
async function asked(requests: readonly GenerateRequest[], atOnce: boolean) {
  const results: Promise<GenerateResult>[] = [];
  for (const request of requests) {
    const result = engine.generate(request);
    results.push(result);
    if (!atOnce) await result;
  }
  return (await Promise.all(results)).map(({ ids }) => ids);
}

/** A completion, and how much of it was drafted. */
async function drafted(request: GenerateRequest) {
  const { ids, timings } = await engine.generate(request);
  const { draftTokens, acceptedDraftTokens, totalMs } = timings;
  return { ids, draftTokens, acceptedDraftTokens, totalMs };
}

/** How far reported logprobs are from those that the scores of the same tokens give, and how many there are. */
async function logprobError(request: GenerateRequest) {
  const { ids, logprobs = [] } = await engine.generate({ ...request, logprobs: true, top_logprobs: 5 });
  const { logits, vocabSize } = await engine.score({ ids: [...request.ids, ...ids], positions: 'all' });
  let error = 0;
  for (const [i, { logprob, top }] of logprobs.entries()) {
    const at = (request.ids.length - 1 + i) * vocabSize;
    const row = logits.slice(at, at + vocabSize);
    const mass = Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
    const best = [...row].sort((a, b) => b - a);
    const pairs = [
      [logprob, row[ids[i] ?? -1]],
      ...top.map((choice) => [choice.logprob, row[choice.id]]),
      ...top.map((choice, rank) => [choice.logprob, best[rank]]),
    ];
    // A number that is missing makes the error NaN, which is no small error.
    for (const [measured = Number.NaN, logit = Number.NaN] of pairs) {
      const difference = Math.abs(measured - (logit - mass));
      error = Math.max(error, difference);
    }
  }
  return { error, numTokens: logprobs.length, numTop: logprobs[0]?.top.length };
}

/** How sure the model is of the token behind `ids`: gap between the two largest logits, and their deviation. */
async function certainty(ids: readonly number[]) {
  const { logits } = await engine.score({ ids, positions: 'last' });
  const [first = 0, second = 0] = logits.toSorted().reverse();
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  const variance = logits.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logits.length;
  return { gap: first - second, std: Math.sqrt(variance) };
}

async function blockBytes() {
  const { kvBytesPerToken, kvBlockTokens } = await engine.stats();
  return kvBytesPerToken * kvBlockTokens;
}

async function dispatchesPerStep() {
  return (await engine.stats()).dispatchesPerDecodeStep;
}

Object.assign(globalThis, {
  tabmindBatch: {
    load,
    alone: (requests: readonly BatchRequest[]) => alone(requests),
    stepwise,
    dispatchesOnceKept,
    dispatchesPerStep,
    together,
    turn,
    save: (session: string) => engine.saveSession(session),
    reload,
    answers,
    said,
    answerIds,
    asked,
    drafted,
    logprobError,
    certainty,
    blockBytes,
  },
});

import type { Engine } from '../../src/index';
import { distributionOf, medianOf } from './distribution';
import type { CellPlan } from './plan';
import { Prompts } from './prompt';
import { timeRequest } from './request';

/** What others feel of a long prompt: times between tokens of running rows, in ms. */
export interface Interference {
  readonly rows: number;
  readonly promptTokens: number;
  readonly undisturbedP95Ms: number;
  /** While the prompt is computed. */
  readonly disturbedP95Ms: number;
  readonly prefillMs: number;
}

/** Times to the first token, in ms. */
export interface SecondTurn {
  readonly historyTokens: number;
  readonly newTokens: number;
  /** Of a second turn whose history lies on the GPU. */
  readonly secondTurnMs: number;
  /** Of a first turn of only the new tokens. */
  readonly newTokensMs: number;
}

const ROWS = 4;
const RUNNING_TOKENS = 384;
const NEW_TOKENS = 64;
/** Many, because the browser looks every millisecond or so whether a step is done. */
const ROUNDS = 15;
/** Between turns: a person reads. Steps of the turn before are over then. */
const PAUSE_MS = 20;

/** What both scenes need room for, with a long prompt of that many tokens. */
export function roomForScenes(promptTokens: number): CellPlan {
  const completionTokens = RUNNING_TOKENS + 2 * NEW_TOKENS;
  return { concurrency: ROWS + 1, promptTokens, completionTokens };
}

/** Rows that decode, and a prompt of `promptTokens` that comes when all of them run. */
export async function measureInterference(engine: Engine, promptTokens: number): Promise<Interference> {
  const { model } = await engine.stats();
  const prompts = new Prompts(model?.vocabSize ?? 0, 11);
  const running = () =>
    Promise.all(Array.from({ length: ROWS }, () => timeRequest(engine, prompts.next(128), RUNNING_TOKENS)));
  await running();
  const calm = await running();
  const rows = running();
  await new Promise((resolve) => setTimeout(resolve, calmMs(calm) / 4));
  const startMs = performance.now();
  const long = await timeRequest(engine, prompts.next(promptTokens), 2);
  const endMs = long.arrivalsMs[0] ?? startMs;
  const gaps = (request: { readonly arrivalsMs: readonly number[] }, from: number, to: number) =>
    request.arrivalsMs
      .slice(1)
      .map((at, i) => ({ at, gap: at - (request.arrivalsMs[i] ?? at) }))
      .filter(({ at }) => at >= from && at <= to)
      .map(({ gap }) => gap);
  const disturbed = (await rows).flatMap((request) => gaps(request, startMs, endMs));
  return {
    rows: ROWS,
    promptTokens,
    undisturbedP95Ms: distributionOf(calm.flatMap((request) => gaps(request, 0, Number.POSITIVE_INFINITY)))
      .p95,
    disturbedP95Ms: distributionOf(disturbed).p95,
    prefillMs: endMs - startMs,
  };
}

function calmMs(requests: readonly { readonly startMs: number; readonly arrivalsMs: readonly number[] }[]) {
  return Math.max(...requests.map(({ startMs, arrivalsMs }) => (arrivalsMs.at(-1) ?? startMs) - startMs));
}

/** A conversation goes on, and the same question by itself. */
export async function measureSecondTurn(engine: Engine, historyTokens: number): Promise<SecondTurn> {
  const { model } = await engine.stats();
  const prompts = new Prompts(model?.vocabSize ?? 0, 12);
  const turn = async (ids: readonly number[], session: string | null) => {
    const request = { ids, max_tokens: 2, temperature: 0, ignore_eos: true, speculative: 'off' } as const;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const { ids: answer, timings } = await engine.generate(
      session === null ? { ...request, cache_prompt: false } : { ...request, session },
    );
    return { ids: [...ids, ...answer], ttftMs: timings.ttftMs };
  };
  const second: number[] = [];
  const alone: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const session = `bench ${round}`;
    const first = await turn(prompts.next(historyTokens), session);
    const next = await turn([...first.ids, ...prompts.next(NEW_TOKENS)], session);
    const only = await turn(prompts.next(NEW_TOKENS), null);
    await engine.dropSession(session);
    // the first round compiles
    if (round > 0) second.push(next.ttftMs);
    if (round > 0) alone.push(only.ttftMs);
  }
  return {
    historyTokens,
    newTokens: NEW_TOKENS,
    secondTurnMs: medianOf(second),
    newTokensMs: medianOf(alone),
  };
}

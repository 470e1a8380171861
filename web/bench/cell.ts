import type { Engine } from '../../src/index';
import { distributionOf, medianOf } from './distribution';
import type { CellPlan } from './plan';
import type { Prompts } from './prompt';
import type { CellResult, StepFacts } from './report';
import { type TimedRequest, timeRequest } from './request';

/** Tokens of the requests that warm up: enough to have had every number of rows. */
const WARM_UP_TOKENS = 16;

export interface CellSetting {
  readonly engine: Engine;
  readonly prompts: Prompts;
  readonly requestsPerLane: number;
  readonly step: StepFacts;
  readonly signal?: AbortSignal | undefined;
}

/** Runs `concurrency` lanes side by side, each sending its requests one after the other; all prompts are different. */
export async function measureCell(plan: CellPlan, setting: CellSetting): Promise<CellResult> {
  const { requestsPerLane } = setting;
  const warmUp = { ...plan, completionTokens: Math.min(WARM_UP_TOKENS, plan.completionTokens) };
  await runLanes(warmUp, { ...setting, requestsPerLane: 1 });
  return cellResult(plan, await runLanes(plan, { ...setting, requestsPerLane }), setting.step);
}

async function runLanes(plan: CellPlan, setting: CellSetting): Promise<readonly TimedRequest[]> {
  const lanes = Array.from({ length: plan.concurrency }, () => runLane(plan, setting));
  return (await Promise.all(lanes)).flat();
}

async function runLane(
  { promptTokens, completionTokens }: CellPlan,
  { engine, prompts, requestsPerLane, signal }: CellSetting,
): Promise<readonly TimedRequest[]> {
  const done: TimedRequest[] = [];
  while (done.length < requestsPerLane)
    done.push(await timeRequest(engine, prompts.next(promptTokens), completionTokens, signal));
  return done;
}

/** The figures of a cell. A decode step is taken to serve all lanes, in the middle of their completions. */
export function cellResult(plan: CellPlan, requests: readonly TimedRequest[], step: StepFacts): CellResult {
  const { concurrency, promptTokens, completionTokens } = plan;
  const times = requests.map(timesOf);
  const startMs = Math.min(...requests.map((request) => request.startMs));
  const wallMs = Math.max(...requests.map(({ arrivalsMs }) => arrivalsMs.at(-1) ?? 0)) - startMs;
  const perSecond = (amount: number) => (amount * 1000) / wallMs;
  const tpot = distributionOf(times.map((time) => time.tpotMs));
  const context = promptTokens + completionTokens / 2;
  const stepBytes = step.weightBytes + concurrency * context * step.kvBytesPerToken;
  return {
    ...plan,
    requests: requests.length,
    wallMs,
    inputTokensPerSecond: perSecond(requests.length * promptTokens),
    outputTokensPerSecond: perSecond(requests.length * completionTokens),
    requestsPerSecond: perSecond(requests.length),
    ttft: distributionOf(times.map((time) => time.ttftMs)),
    tpot,
    itl: distributionOf(times.flatMap((time) => time.itlMs)),
    e2e: distributionOf(times.map((time) => time.e2eMs)),
    prefillTokensPerSecond: medianOf(requests.map(({ timings }) => timings.prefillTokensPerSecond)),
    decodeTokensPerSecond: medianOf(requests.map(({ timings }) => timings.decodeTokensPerSecond)),
    bytesPerToken: stepBytes / concurrency,
    roofShare: (stepBytes * 1000) / tpot.mean / step.readBytesPerSecond,
  };
}

function timesOf({ startMs, arrivalsMs }: TimedRequest) {
  const [first = startMs, last = startMs] = [arrivalsMs[0], arrivalsMs.at(-1)];
  return {
    ttftMs: first - startMs,
    e2eMs: last - startMs,
    tpotMs: (last - first) / (arrivalsMs.length - 1),
    itlMs: arrivalsMs.slice(1).map((arrivalMs, i) => arrivalMs - (arrivalsMs[i] ?? 0)),
  };
}

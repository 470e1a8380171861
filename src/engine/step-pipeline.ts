import { TabmindError } from '../errors';
import type { Batch, StepRunner, TokenLogprob } from './batch';
import { defect } from './defect';
import { countAccepted } from './prompt-lookup';
import { meanWith } from './running-mean';
import type { ScheduledStep } from './scheduled-step';
import type { Scheduler } from './scheduler';
import { type Sequence, seatOf } from './sequence';
import type { Speculation } from './speculation';
import type { StepTimes } from './step-times';

/** How a submitted step ended; a value, not a rejection, because it may settle long before its turn to be read. */
type Outcome = Sampled | { readonly error: TabmindError };

/** The ids of a step in the order of its `sampled`, and their logprobs where asked for. */
interface Sampled {
  readonly ids: Uint32Array;
  readonly logprobs: readonly (TokenLogprob | null)[] | null;
}

/** An id that a step has sampled. */
export interface SampledToken {
  readonly sequence: Sequence;
  readonly tokenId: number;
  readonly logprob: TokenLogprob | null;
}

interface StepInFlight {
  readonly step: ScheduledStep;
  readonly submittedMs: number;
  /** No step was in flight before it. */
  readonly wasIdle: boolean;
  readonly outcome: Promise<Outcome>;
}

/** Steps that may be under way at a time: never fewer than `least` wanted, never more than `most`. */
export interface StepsInFlight {
  readonly least: number;
  readonly most: number;
}

export interface StepPipelineParts {
  readonly runner: StepRunner;
  readonly scheduler: Scheduler;
  readonly times: StepTimes;
  readonly speculation: Speculation;
  readonly stepsInFlight: StepsInFlight;
  readonly now: () => number;
}

/**
 * Work that is kept queued on the GPU. The browser sees the end of a step only when it looks, every few milliseconds, and a queue
 * of three steps of a small model runs dry meanwhile. Then steps seem longer, so that fewer of them are queued, and it stays so:
 * therefore not too little (test/bench/NOTES.md, 39).
 */
const QUEUED_MS = 10;
/** Share of a new measurement in the mean time of a step. */
const NEW_SHARE = 0.1;
/** A slow one counts as so many times the mean at most: the rest is a pause of the host, for which more should be queued, not less. */
const MAX_SLOWNESS = 2;

/** The steps that have been submitted and not read back, oldest first. */
export class StepPipeline {
  readonly #parts: StepPipelineParts;
  readonly #inFlight: StepInFlight[] = [];
  #lastReadMs = Number.NEGATIVE_INFINITY;
  /** Of steps of decode rows alone, between two that came back; null: nothing is known yet. */
  #meanMs: number | null = null;
  #numSubmitted = 0;
  #numTokens = 0;

  constructor(parts: StepPipelineParts) {
    this.#parts = parts;
  }

  /** More steps the shorter they are. Behind one with a chunk there is work enough, which what comes next would wait for. */
  get #depth(): number {
    const { least, most } = this.#parts.stepsInFlight;
    const hasChunk = this.#inFlight.some(({ step }) => step.prefilling.length > 0);
    if (hasChunk || this.#meanMs === null) return least;
    return Math.min(most, Math.max(least, Math.ceil(QUEUED_MS / this.#meanMs)));
  }

  get numInFlight(): number {
    return this.#inFlight.length;
  }

  get numSubmitted(): number {
    return this.#numSubmitted;
  }

  /** Tokens of all steps, of prompts and completions alike. */
  get numTokens(): number {
    return this.#numTokens;
  }

  /** Submits what the scheduler gives, as far as steps may be in flight. Throws what the runner throws at once. */
  fill(): void {
    const { scheduler, now } = this.#parts;
    while (this.#inFlight.length < this.#depth) {
      const step = scheduler.schedule(now());
      if (step === null) return;
      const submittedMs = now();
      const wasIdle = this.#inFlight.length === 0;
      this.#inFlight.push({ step, submittedMs, wasIdle, outcome: this.#submit(step, wasIdle) });
      this.#numSubmitted++;
      // Of a draft, what counts is known later.
      if (step.draft === null) this.#numTokens += step.batch.rows.length + numChunkTokens(step.batch);
    }
  }

  /**
   * Waits for the oldest step, retires it, and returns the tokens that it has given; null when none is in flight. Throws the
   * runner's error.
   */
  async next(): Promise<readonly SampledToken[] | null> {
    const oldest = this.#inFlight[0];
    if (oldest === undefined) return null;
    const outcome = await oldest.outcome;
    this.#inFlight.shift();
    const { sampled, draft } = oldest.step;
    const numAccepted = draft === null || 'error' in outcome ? 0 : countAccepted(draft, outcome.ids);
    this.#parts.scheduler.retire(oldest.step, numAccepted);
    if ('error' in outcome) throw outcome.error;
    const { ids, logprobs } = outcome;
    if (ids.length !== sampled.length) throw defect(`a step gave ${ids.length} ids, not ${sampled.length}`);
    this.#measure(oldest, numAccepted);
    // Behind the first wrong token of a draft nothing was computed from the right tokens.
    const given = draft === null ? sampled : sampled.slice(0, numAccepted + 1);
    return given.map((sequence, row) => ({
      sequence,
      tokenId: ids[row] ?? 0,
      logprob: logprobs?.[row] ?? null,
    }));
  }

  /** Waits for all steps and drops what they give. */
  async drain(): Promise<void> {
    for (const { step, outcome } of this.#inFlight.splice(0)) {
      await outcome;
      this.#parts.scheduler.retire(step);
    }
  }

  /** Throws what the runner throws at once: no later step may be submitted on top of one that was not. */
  #submit(step: ScheduledStep, wasIdle: boolean): Promise<Outcome> {
    const { runner, scheduler } = this.#parts;
    const { batch, admitted } = step;
    try {
      for (const sequence of admitted) runner.startSlot(seatOf(sequence).slot, sequence);
      const { ids, logprobs = null } = runner.submit(batch, wasIdle);
      return Promise.all([ids, logprobs]).then(
        ([ids, logprobs]): Outcome => ({ ids, logprobs }),
        (thrown: unknown) => ({ error: TabmindError.from(thrown) }),
      );
    } catch (thrown) {
      scheduler.retire(step);
      throw thrown;
    }
  }

  /** A step takes as long as the rows wait for it: since the one before came back, or since it was submitted. */
  #measure({ step: { batch, draft }, submittedMs, wasIdle }: StepInFlight, numAccepted: number): void {
    const nowMs = this.#parts.now();
    const ms = nowMs - Math.max(submittedMs, this.#lastReadMs);
    this.#lastReadMs = nowMs;
    const { times, speculation, stepsInFlight } = this.#parts;
    if (draft !== null) {
      this.#numTokens += numAccepted + 1;
      speculation.recordVerify(ms, draft.length, numAccepted);
      return;
    }
    const chunkTokens = numChunkTokens(batch);
    if (!wasIdle && chunkTokens === 0) {
      const most = MAX_SLOWNESS * (this.#meanMs ?? ms);
      this.#meanMs = meanWith(this.#meanMs, Math.min(ms, most), NEW_SHARE);
    }
    if (batch.rows.length === 1 && chunkTokens === 0) {
      const fills = wasIdle && stepsInFlight.most > 1;
      speculation.recordPlain(ms, fills);
      // It waits for the way there and back, which other steps hide.
      if (fills) return;
    }
    times.record({ numRows: batch.rows.length, numChunkTokens: chunkTokens, ms });
  }
}

function numChunkTokens({ prefills }: Batch): number {
  return prefills.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
}

/** Short steps need more of them under way, long ones would only make what comes next wait. */
const STEPS_IN_FLIGHT: StepsInFlight = { least: 3, most: 8 };

/** An engine's option of that name, or what is best without it. Throws `bad-request`. */
export function checkStepsInFlight(steps: number | undefined): StepsInFlight {
  if (steps === undefined) return STEPS_IN_FLIGHT;
  if (Number.isInteger(steps) && steps >= 1) return { least: steps, most: steps };
  throw new TabmindError('bad-request', `stepsInFlight is ${steps}; it must be 1 or more.`, {
    remedy: 'Leave it out, or use 2 to 4.',
  });
}

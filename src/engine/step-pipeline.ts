import { TabmindError } from '../errors';
import type { StepRunner, TokenLogprob } from './batch';
import type { ScheduledStep, Scheduler } from './scheduler';
import type { StepTimes } from './step-times';

/** How a submitted step ended; a value, not a rejection, because it may settle long before its turn to be read. */
type Outcome = Sampled | { readonly error: TabmindError };

/** What a step has sampled: ids in the order of its `sampled`, and their logprobs where asked for. */
interface Sampled {
  readonly ids: Uint32Array;
  readonly logprobs: readonly (TokenLogprob | null)[] | null;
}

interface StepInFlight {
  readonly step: ScheduledStep;
  readonly submittedMs: number;
  readonly outcome: Promise<Outcome>;
}

export interface StepPipelineParts {
  readonly runner: StepRunner;
  readonly scheduler: Scheduler;
  readonly times: StepTimes;
  readonly maxStepsInFlight: number;
  readonly now: () => number;
}

/** The steps that have been submitted and not read back, oldest first. */
export class StepPipeline {
  readonly #parts: StepPipelineParts;
  readonly #inFlight: StepInFlight[] = [];
  #lastReadMs = Number.NEGATIVE_INFINITY;
  #numSubmitted = 0;
  #numTokens = 0;

  constructor(parts: StepPipelineParts) {
    this.#parts = parts;
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
    const { scheduler, maxStepsInFlight, now } = this.#parts;
    while (this.#inFlight.length < maxStepsInFlight) {
      const step = scheduler.schedule(now());
      if (step === null) return;
      const submittedMs = now();
      this.#inFlight.push({ step, submittedMs, outcome: this.#submit(step) });
      this.#numSubmitted++;
      this.#numTokens += step.batch.rows.length + (step.batch.prefill?.tokenIds.length ?? 0);
    }
  }

  /** Waits for the oldest step and retires it; null when none is in flight. Throws the runner's error. */
  async next(): Promise<({ readonly step: ScheduledStep } & Sampled) | null> {
    const oldest = this.#inFlight[0];
    if (oldest === undefined) return null;
    const outcome = await oldest.outcome;
    this.#inFlight.shift();
    this.#parts.scheduler.retire(oldest.step);
    if ('error' in outcome) throw outcome.error;
    this.#measure(oldest);
    return { step: oldest.step, ...outcome };
  }

  /** Waits for all steps and drops what they give. */
  async drain(): Promise<void> {
    for (const { step, outcome } of this.#inFlight.splice(0)) {
      await outcome;
      this.#parts.scheduler.retire(step);
    }
  }

  /** Throws what the runner throws at once: no later step may be submitted on top of one that was not. */
  #submit(step: ScheduledStep): Promise<Outcome> {
    const { runner, scheduler } = this.#parts;
    const { batch, admitted } = step;
    try {
      if (admitted?.seat) runner.startSlot(admitted.seat.slot, admitted);
      const { ids, logprobs = null } = runner.submit(batch);
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
  #measure({ step: { batch }, submittedMs }: StepInFlight): void {
    const nowMs = this.#parts.now();
    const ms = nowMs - Math.max(submittedMs, this.#lastReadMs);
    this.#lastReadMs = nowMs;
    const numChunkTokens = batch.prefill?.tokenIds.length ?? 0;
    this.#parts.times.record({ numRows: batch.rows.length, numChunkTokens, ms });
  }
}

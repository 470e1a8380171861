import { lookUpDraft } from './prompt-lookup';
import { meanWith } from './running-mean';
import type { Sequence } from './sequence';

/** What was measured, in milliseconds. */
export interface DraftTimes {
  /** A decode step of one row, several of which are in flight at a time. */
  readonly plainMs: number;
  /** A step that verifies a draft, for which the pipeline has to be empty, and what it costs to fill it again. */
  readonly verifyMs: number;
  /** Tokens that such a step gives: those of the draft that were right, and the one behind them. */
  readonly tokensPerVerify: number;
}

/** Whether drafts give tokens sooner than plain steps. */
export function draftsPay({ plainMs, verifyMs, tokensPerVerify }: DraftTimes): boolean {
  return verifyMs < plainMs * tokensPerVerify;
}

/** Weight of what was measured before, each time something new is. */
const MEMORY = 0.8;
/** Plain tokens before drafts are tried again that did not pay: first, and at most. */
const FIRST_PAUSE = 16;
const LONGEST_PAUSE = 1024;

export interface SpeculationOptions {
  /** 0: never. */
  readonly maxDraftTokens: number;
  /** Default `draftsPay`. */
  readonly pays?: (times: DraftTimes) => boolean;
}

/**
 * Decides when the one sequence that runs is worth a draft. Drafts need ids that the host knows, so no step may be in flight:
 * what this costs is measured with them. Where they do not pay they are tried again after a pause, which doubles.
 */
export class Speculation {
  readonly #maxDraftTokens: number;
  readonly #pays: (times: DraftTimes) => boolean;
  #plainMs: number | null = null;
  #numPlain = 0;
  /** Of recent verifying steps, older ones weighing less. */
  #verifyMs = 0;
  #numTokens = 0;
  #numVerified = 0;
  #isWarm = false;
  #pause = FIRST_PAUSE;
  #resumeAt = 0;
  #numDrafted = 0;
  #numAccepted = 0;

  constructor({ maxDraftTokens, pays = draftsPay }: SpeculationOptions) {
    this.#maxDraftTokens = maxDraftTokens;
    this.#pays = pays;
  }

  /** Tokens of all drafts, and how many of them were right. */
  get draftTokens(): { readonly numDrafted: number; readonly numAccepted: number } {
    return { numDrafted: this.#numDrafted, numAccepted: this.#numAccepted };
  }

  /** A draft of what follows the known ids of a sequence that may still get `room` tokens; null: go on without. */
  draftFor({ tokenIds, params }: Sequence, room: number): readonly number[] | null {
    // The row behind a draft that is right gives a token too.
    const numTokens = Math.min(this.#maxDraftTokens, room - 1);
    if (params.speculative === 'off' || numTokens < 1) return null;
    const isDue = this.#plainMs !== null && this.#numPlain >= this.#resumeAt;
    if (params.speculative === 'auto' && !isDue) return null;
    const draft = lookUpDraft(tokenIds, numTokens);
    return draft.length > 0 ? draft : null;
  }

  /** A decode step of one row took so long. `fills`: the pipeline was empty before, because of a draft. */
  recordPlain(ms: number, fills: boolean): void {
    this.#numPlain++;
    const plainMs = this.#plainMs;
    if (!fills) this.#plainMs = meanWith(plainMs, ms, 1 - MEMORY);
    else if (plainMs !== null && this.#numVerified > 0) this.#verifyMs += Math.max(0, ms - plainMs);
  }

  recordVerify(ms: number, numDrafted: number, numAccepted: number): void {
    this.#numDrafted += numDrafted;
    this.#numAccepted += numAccepted;
    // The first step of its kind may have waited for shaders to compile.
    if (this.#isWarm) this.#learn(ms, numAccepted + 1);
    this.#isWarm = true;
  }

  #learn(ms: number, numTokens: number): void {
    this.#verifyMs = MEMORY * this.#verifyMs + ms;
    this.#numTokens = MEMORY * this.#numTokens + numTokens;
    this.#numVerified = MEMORY * this.#numVerified + 1;
    const verifyMs = this.#verifyMs / this.#numVerified;
    const tokensPerVerify = this.#numTokens / this.#numVerified;
    if (this.#pays({ plainMs: this.#plainMs ?? 0, verifyMs, tokensPerVerify })) {
      this.#pause = FIRST_PAUSE;
      return;
    }
    this.#resumeAt = this.#numPlain + this.#pause;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }
}

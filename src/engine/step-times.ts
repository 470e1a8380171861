import { meanWith } from './running-mean';

/** Rows of steps that are tried, chunk and decode rows together; the last is the longest chunk that the runner takes. */
function stepSizes(maxChunkTokens: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = MIN_STEP_ROWS; size < maxChunkTokens; size *= 2) sizes.push(size);
  return [...sizes, maxChunkTokens];
}

/** Smaller steps cost as much: the weights are read once, however few the rows. */
const MIN_STEP_ROWS = 16;
/** Where the decode rows leave less of a step, the chunk comes on top of them. */
const MIN_CHUNK_TOKENS = 8;
/** Before anything was measured. */
const FIRST_STEP_ROWS = 64;
/** Share of a new measurement in the mean. */
const SHARE = 0.25;
/**
 * A slow measurement counts as so many times the mean at most: the rest is a pause of the host. A size that is given up for one
 * comes back only by and by.
 */
const MAX_SLOWNESS = 1.5;
/**
 * The browser looks from time to time at what the GPU has done, so the time of a step may be off by that many ms; what one
 * seems to take less, the next seems to take more.
 */
const LOOK_MS = 3;
/**
 * Steps without a chunk until a number of decode rows has been measured. Where prompts never end to wait, steps of decode rows
 * alone would never come, and the budget would be that of fewer rows.
 */
const PLAIN_STEPS = 4;
const FIRST_PLAIN_ROWS = 8;
/** A step that is shorter anyway may grow to this, in ms: nobody feels it, and prompts go on several times as fast. */
const MIN_BUDGET_MS = 6.5;
/** However many prompts wait. */
const MAX_STEP_MS = 100;
/** Longest chunk whose time need not be known, where nobody waits for the next token. */
const UNTIMED_CHUNK_TOKENS = 512;
/**
 * Of so many steps one is larger than chosen: a size that was slow once would not be measured again. So few that the time between
 * tokens that one in twenty exceeds is not theirs.
 */
const PROBE_STEPS = 40;

export interface ChunkChoice {
  /** What a step of the decode rows alone takes; null: not measured. */
  readonly decodeMs: number | null;
  /** What a step of so many rows takes that a chunk has joined, as far as it was measured. */
  readonly stepMs: ReadonlyMap<number, number>;
  /** How many times as long as `decodeMs` a step may take; a short one, more. */
  readonly maxGrowth: number;
  readonly maxChunkTokens: number;
  /** Prompts that wait for this step. Default: one. */
  readonly numPrompts?: number;
}

/**
 * Rows of a decode step that a prompt chunk joins: the most that keep the step within its budget, and the fewest there
 * are when none do, because prompts have to move on too. The more of them wait, the more it counts that long chunks take less
 * time a token: so a step may grow with their number.
 */
export function chooseStepRows(choice: ChunkChoice): number {
  const { decodeMs, stepMs, maxGrowth, maxChunkTokens, numPrompts = 1 } = choice;
  if (decodeMs === null) return Math.min(FIRST_STEP_ROWS, maxChunkTokens);
  const budgetMs = Math.min(numPrompts * Math.max(maxGrowth * decodeMs, MIN_BUDGET_MS), MAX_STEP_MS);
  const sizes = stepSizes(maxChunkTokens);
  const fitting = sizes.filter((size) => (estimate(stepMs, decodeMs, size) ?? 0) <= budgetMs);
  const largest = fitting.at(-1) ?? sizes[0] ?? maxChunkTokens;
  return stepMs.size > 0 ? largest : Math.min(FIRST_STEP_ROWS, maxChunkTokens);
}

/** Measured, or on the line through the two nearest measurements, or guessed from the only one; null without any. */
function estimate(stepMs: ReadonlyMap<number, number>, decodeMs: number, size: number): number | null {
  const known = stepMs.get(size);
  if (known !== undefined) return known;
  const nearest = [...stepMs].sort(([a], [b]) => Math.abs(Math.log(a / size)) - Math.abs(Math.log(b / size)));
  const [one, two] = nearest;
  if (one === undefined) return null;
  // What the chunk adds: between the same and in proportion. A guess that is wrong is replaced by a measurement when the size
  // has been tried.
  if (two === undefined) return decodeMs + Math.max(0, one[1] - decodeMs) * Math.sqrt(size / one[0]);
  const slope = (two[1] - one[1]) / (two[0] - one[0]);
  return Math.max(0, one[1] + Math.max(0, slope) * (size - one[0]));
}

export interface MeasuredStep {
  readonly numRows: number;
  readonly numChunkTokens: number;
  readonly ms: number;
}

/** How long steps take, learnt from those that ran, and how large a chunk may therefore be. */
export class StepTimes {
  readonly #maxGrowth: number;
  readonly #maxChunkTokens: number;
  /** By rows, rounded up to a power of two. */
  readonly #decodeMs = new Map<number, number>();
  /** With a chunk, by all rows: a row of a chunk costs what a decode row does. */
  readonly #stepMs = new Map<number, number>();
  /** Steps that went without a chunk to be measured, by rows rounded up. */
  readonly #plainSteps = new Map<number, number>();
  #numChosen = 0;

  constructor(maxGrowth: number, maxChunkTokens: number) {
    this.#maxGrowth = maxGrowth;
    this.#maxChunkTokens = maxChunkTokens;
  }

  /** Longest chunk that may join a step of `numRows` decode rows while `numPrompts` wait; 0: none, for this step is to be measured. */
  maxChunkFor(numRows: number, numPrompts = 1): number {
    if (numRows === 0) return this.#longestChunk();
    if (this.#wantsPlainStep(rounded(numRows))) return 0;
    const chosen = chooseStepRows({
      decodeMs: this.#decodeMsOf(numRows),
      stepMs: this.#stepMs,
      maxGrowth: this.#maxGrowth,
      maxChunkTokens: this.#maxChunkTokens,
      numPrompts,
    });
    const larger = stepSizes(this.#maxChunkTokens).find((rows) => rows > chosen);
    const stepRows = ++this.#numChosen % PROBE_STEPS === 0 ? (larger ?? chosen) : chosen;
    return stepRows - numRows >= MIN_CHUNK_TOKENS ? stepRows - numRows : stepRows;
  }

  /** With no decode rows: whoever comes next waits for this step, so it should not last either. */
  #longestChunk(): number {
    const sizes = stepSizes(this.#maxChunkTokens);
    let longest = Math.min(UNTIMED_CHUNK_TOKENS, this.#maxChunkTokens);
    for (const size of sizes.filter((each) => each > longest)) {
      const shorterMs = this.#stepMs.get(longest);
      const ms = this.#stepMs.get(size) ?? (shorterMs && (shorterMs * size) / longest);
      if (ms === undefined || ms > MAX_STEP_MS) break;
      longest = size;
    }
    return longest;
  }

  record({ numRows, numChunkTokens, ms }: MeasuredStep): void {
    if (numChunkTokens === 0) {
      learn(this.#decodeMs, rounded(numRows), ms);
      return;
    }
    const sizes = stepSizes(this.#maxChunkTokens);
    const stepRows = [numRows + numChunkTokens, numChunkTokens].find((rows) => sizes.includes(rows));
    // The rest of a prompt is of no size that is ever chosen.
    if (stepRows !== undefined) learn(this.#stepMs, stepRows, ms);
  }

  #wantsPlainStep(rows: number): boolean {
    const tried = this.#plainSteps.get(rows) ?? 0;
    if (rows < FIRST_PLAIN_ROWS || this.#decodeMs.has(rows) || tried >= PLAIN_STEPS) return false;
    this.#plainSteps.set(rows, tried + 1);
    return true;
  }

  /** Of as many rows, or else of the nearest number that was measured. */
  #decodeMsOf(numRows: number): number | null {
    const wanted = rounded(numRows);
    let nearest: number | null = null;
    for (const rows of this.#decodeMs.keys())
      if (nearest === null || Math.abs(rows - wanted) < Math.abs(nearest - wanted)) nearest = rows;
    return nearest === null ? null : (this.#decodeMs.get(nearest) ?? null);
  }
}

function learn(means: Map<number, number>, key: number, ms: number): void {
  const mean = means.get(key) ?? null;
  // So far below, the mean must have been of something else: a compilation, another program.
  const isDrop = mean !== null && ms + LOOK_MS < mean / 2;
  const most = MAX_SLOWNESS * Math.max(mean ?? ms, LOOK_MS);
  means.set(key, isDrop ? ms + LOOK_MS : meanWith(mean, Math.min(ms, most), SHARE));
}

function rounded(numRows: number): number {
  return 2 ** Math.ceil(Math.log2(numRows));
}

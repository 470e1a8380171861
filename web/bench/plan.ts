import type { LoadOptions, ModelRef, RandomShape } from '../../src/index';
import { type BenchDictionary, benchEn } from '../i18n/bench-en';

/** One point of the grid. */
export interface CellPlan {
  /** Requests that run at the same time. */
  readonly concurrency: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface BenchPlan {
  readonly model: ModelRef;
  readonly options: LoadOptions;
  readonly cells: readonly CellPlan[];
  /** Requests that each of the concurrent lanes sends, one after the other. */
  readonly requestsPerLane: number;
  /** Decides the prompts. */
  readonly seed: number;
  /** Loads a second time, to see how fast the cache is. */
  readonly loadTwice: boolean;
  /** Times every kernel of a step of the first cell's rows, behind its prompt, as well; needs timestamp-query. */
  readonly profile: boolean;
  /** Tokens of a prompt in the step that `profile` times; default 0. */
  readonly profileChunk?: number;
  /** Adapter that must be there: software in its place makes numbers that mean something else. */
  readonly vendor?: string | undefined;
}

export const RANDOM_SHAPE_NAMES = [
  'qwen2.5-0.5b',
  'qwen2.5-1.5b',
  'qwen2.5-7b',
  'llama-3.1-8b',
  'qwen3-0.6b',
  'qwen3-1.7b',
  'qwen3-4b',
  'qwen3-8b',
  'internlm2-1.8b',
] as const satisfies readonly RandomShape[];

/** Every concurrency with every pair of lengths. */
export function gridOf(
  concurrencies: readonly number[],
  lengths: readonly Omit<CellPlan, 'concurrency'>[],
): readonly CellPlan[] {
  return lengths.flatMap((pair) => concurrencies.map((concurrency) => ({ concurrency, ...pair })));
}

/** '8 × 128:128' */
export function cellName({ concurrency, promptTokens, completionTokens }: CellPlan): string {
  return `${concurrency} × ${promptTokens}:${completionTokens}`;
}

/** A piece of a plan that cannot be read; the message is English, `problem` names the words of other languages. */
export class PlanError extends RangeError {
  override readonly name = 'PlanError';
  readonly problem: keyof BenchDictionary['problems'];
  readonly piece: string;

  constructor(problem: keyof BenchDictionary['problems'], piece: string) {
    super(benchEn.problems[problem](piece));
    this.problem = problem;
    this.piece = piece;
  }
}

/** '128:128,2048:64' → prompt and completion lengths. Throws a `PlanError` with the piece that cannot be read. */
export function parseLengths(text: string): readonly Omit<CellPlan, 'concurrency'>[] {
  return text.split(',').map((piece) => {
    const match = /^\s*(\d+)\s*:\s*(\d+)\s*$/.exec(piece);
    const [promptTokens, completionTokens] = [Number(match?.[1]), Number(match?.[2])];
    // a single token has no time between tokens
    if (!(promptTokens >= 1 && completionTokens >= 2)) throw new PlanError('lengths', piece);
    return { promptTokens, completionTokens };
  });
}

/** '1,8,32'. Throws a `PlanError` with the piece that cannot be read. */
export function parseCounts(text: string): readonly number[] {
  return text.split(',').map((piece) => {
    const count = Number(piece);
    if (!Number.isInteger(count) || count < 1) throw new PlanError('count', piece);
    return count;
  });
}

/** Bounds of the load that all cells fit into. */
export function neededSizes(cells: readonly CellPlan[]): {
  readonly contextLength: number;
  readonly maxSequences: number;
} {
  return {
    contextLength: Math.max(...cells.map((cell) => cell.promptTokens + cell.completionTokens)),
    maxSequences: Math.max(...cells.map((cell) => cell.concurrency)),
  };
}

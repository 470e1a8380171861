import type { PrefillBatch } from '../engine/batch';
import { fixedLength, ropeRows, ropeTable } from '../models/rope';
import type { RopeConfig } from '../models/rope-config';

/**
 * The rope tables of a model, side by side in the step state. Every rope has a table for tokens that come one by one,
 * whose row p holds for a sequence of p + 1 tokens. A rope that depends on the length (dynamic, longrope) has a second
 * one for prompts beyond its fixed length: there all rows use the frequencies of the whole prompt, so the rows of a chunk
 * are written right before it runs.
 */
export class RopeTables {
  readonly #ropes: readonly RopeConfig[];
  /** Table of a rope for long prompts. */
  readonly #promptTables = new Map<number, number>();

  constructor(ropes: readonly RopeConfig[]) {
    this.#ropes = ropes;
    for (const [rope, config] of ropes.entries())
      if (Number.isFinite(fixedLength(config)))
        this.#promptTables.set(rope, ropes.length + this.#promptTables.size);
  }

  get numTables(): number {
    return this.#ropes.length + this.#promptTables.size;
  }

  /** Contents of the first tables, f32 [ropes][contextLength][rotaryDim / 2][2]. */
  *tables(contextLength: number): Iterable<Float32Array<ArrayBuffer>> {
    for (const rope of this.#ropes) yield ropeTable(rope, contextLength);
  }

  /** Which table the rows of a step use; `promptTokens` null for tokens that come one by one. */
  tableOf(rope: number, promptTokens: number | null): number {
    const config = this.#ropes[rope];
    const long = config !== undefined && promptTokens !== null && promptTokens > fixedLength(config);
    return long ? (this.#promptTables.get(rope) ?? rope) : rope;
  }

  /** Rows that a chunk needs in tables for long prompts: which table, from which position on. */
  *chunkRows(batch: PrefillBatch): Iterable<{
    readonly table: number;
    readonly position: number;
    readonly rows: Float32Array<ArrayBuffer>;
  }> {
    const { startPosition: position, tokenIds, totalTokens } = batch;
    for (const [rope, table] of this.#promptTables) {
      const config = this.#ropes[rope];
      if (config && totalTokens !== null && totalTokens > fixedLength(config))
        yield { table, position, rows: ropeRows(config, position, tokenIds.length, totalTokens) };
    }
  }
}

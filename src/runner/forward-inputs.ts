import type { Batch, PrefillBatch } from '../engine/batch';
import type { SamplingParams } from '../engine/sampling-params';
import { SLOT, SLOT_WORDS, type StateLayout } from '../kernels/step-state';
import type { RopeTables } from './rope-tables';

/**
 * Keeps the state buffer in step with the batches: writes only what changed (new block-table entries, a changed row
 * list, the tokens of a prefill chunk). Token and position of a running slot live on the GPU and are never written here.
 * queue.writeBuffer takes effect between submits, so each batch is written right before its own submit.
 */
export class ForwardInputs {
  readonly #queue: GPUQueue;
  readonly #state: GPUBuffer;
  readonly #layout: StateLayout;
  readonly #ropes: RopeTables;
  /** Block ids that the GPU already has, per slot. */
  readonly #tables: number[][] = [];
  #rows = '';

  constructor(queue: GPUQueue, state: GPUBuffer, layout: StateLayout, ropes: RopeTables) {
    this.#queue = queue;
    this.#state = state;
    this.#layout = layout;
    this.#ropes = ropes;
  }

  /** Writes the rope tables, once. */
  writeRopes(contextLength: number): void {
    let at = this.#layout.ropeAt;
    for (const table of this.#ropes.tables(contextLength)) {
      this.#write(at, table);
      at += this.#layout.ropeTableWords;
    }
  }

  startSlot(slot: number, params: SamplingParams, seenIds: ArrayLike<number>): void {
    const words = new Uint32Array(SLOT_WORDS);
    const floats = new Float32Array(words.buffer);
    words[SLOT.seed] = params.seed;
    floats[SLOT.temperature] = params.temperature;
    words[SLOT.topK] = params.topK;
    floats[SLOT.topP] = params.topP;
    floats[SLOT.minP] = params.minP;
    floats[SLOT.repetitionPenalty] = params.repetitionPenalty;
    this.#write(this.#layout.slotsAt + slot * SLOT_WORDS, words);
    const seen = new Uint32Array(this.#layout.seenStride);
    for (let i = 0; i < seenIds.length; i++) {
      const id = seenIds[i] ?? 0;
      seen[id >>> 5] = (seen[id >>> 5] ?? 0) | (1 << (id & 31));
    }
    this.#write(this.#layout.seenAt + slot * this.#layout.seenStride, seen);
    this.#tables[slot] = [];
  }

  prepare({ rows, prefill }: Pick<Batch, 'rows' | 'prefill'>): void {
    if (rows.length > 0) this.#writeRows(rows);
    if (prefill !== null) this.#writeChunk(prefill);
  }

  #writeRows(rows: Batch['rows']): void {
    const slots = Uint32Array.from(rows, (row) => row.slot);
    const key = slots.join();
    if (key !== this.#rows) this.#write(this.#layout.rowsAt, slots);
    this.#rows = key;
    for (const row of rows) this.#writeTable(row.slot, row.blockTable);
  }

  #writeChunk(chunk: PrefillBatch): void {
    this.#write(this.#layout.chunkAt, chunk.tokenIds);
    this.#writeTable(chunk.slot, chunk.blockTable);
    for (const { table, position, rows } of this.#ropes.chunkRows(chunk)) {
      const rowWords = rows.length / chunk.tokenIds.length;
      this.#write(this.#layout.ropeAt + table * this.#layout.ropeTableWords + position * rowWords, rows);
    }
  }

  #writeTable(slot: number, table: readonly number[]): void {
    const known = this.#tables[slot] ?? [];
    let same = 0;
    while (same < known.length && same < table.length && known[same] === table[same]) same++;
    if (same < table.length)
      this.#write(
        this.#layout.tablesAt + slot * this.#layout.tableStride + same,
        Uint32Array.from(table.slice(same)),
      );
    this.#tables[slot] = [...table];
  }

  #write(wordAt: number, words: Uint32Array | Float32Array): void {
    this.#queue.writeBuffer(
      this.#state,
      wordAt * 4,
      words.buffer as ArrayBuffer,
      words.byteOffset,
      words.byteLength,
    );
  }
}

import type { Batch, PrefillBatch, SlotStart } from '../engine/batch';
import { changesLogits, type SamplingParams } from '../engine/sampling-params';
import { packControls } from '../kernels/adjust';
import { packChunk } from '../kernels/chunk-rows';
import { MAX_CONTROL_WORDS, SLOT, SLOT_WORDS, type StateLayout } from '../kernels/step-state';
import type { RopeTables } from './rope-tables';

/**
 * Keeps the state buffer in step with the batches: writes only what changed (new block-table entries, a changed row
 * list, the rows of a prefill chunk). Token and position of a running slot live on the GPU and are written here only
 * where a draft has been verified.
 * queue.writeBuffer takes effect between submits, so each batch is written right before its own submit.
 */
export class ForwardInputs {
  readonly #queue: GPUQueue;
  readonly #state: GPUBuffer;
  readonly #layout: StateLayout;
  readonly #ropes: RopeTables;
  /** Block ids that the GPU already has, per slot. */
  readonly #tables: number[][] = [];
  readonly #params: SamplingParams[] = [];
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

  /** Whether the slot has penalties, biases or bans. */
  isAdjusted(slot: number): boolean {
    const params = this.#params[slot];
    return params !== undefined && changesLogits(params);
  }

  /** Most probable ids that are to be reported with each sampled one; null: no logprobs. */
  numTopOf(slot: number): number | null {
    return this.#params[slot]?.topLogprobs ?? null;
  }

  startSlot(slot: number, { params, tokenIds, numPromptTokens, endIds }: SlotStart): void {
    const words = new Uint32Array(SLOT_WORDS);
    const floats = new Float32Array(words.buffer);
    words[SLOT.seed] = params.seed;
    floats[SLOT.temperature] = params.temperature;
    words[SLOT.topK] = params.topK;
    floats[SLOT.topP] = params.topP;
    floats[SLOT.minP] = params.minP;
    floats[SLOT.repetitionPenalty] = params.repetitionPenalty;
    floats[SLOT.frequencyPenalty] = params.frequencyPenalty;
    floats[SLOT.presencePenalty] = params.presencePenalty;
    words[SLOT.numPromptTokens] = numPromptTokens;
    words[SLOT.firstEnd] = numPromptTokens + params.minTokens;
    words[SLOT.numTop] = params.topLogprobs ?? 0;
    const controls = packControls({
      biases: biasesOf(params),
      endIds: params.minTokens > 0 ? endIds : [],
      phrases: params.badWords.filter(({ length }) => length > 1),
    });
    for (const [word, count] of Object.entries(controls.counts)) words[Number(word)] = count;
    const { slotsAt, controlsAt, idsAt, idsStride } = this.#layout;
    this.#write(slotsAt + slot * SLOT_WORDS, words);
    if (controls.words.length > 0) this.#write(controlsAt + slot * MAX_CONTROL_WORDS, controls.words);
    // Nothing else looks at them, and a long conversation would wait for its ids to be brought over.
    if (changesLogits(params)) this.#write(idsAt + slot * idsStride, new Uint32Array(tokenIds));
    this.#tables[slot] = [];
    this.#params[slot] = params;
  }

  prepare({ rows, prefills }: Pick<Batch, 'rows' | 'prefills'>): void {
    if (rows.length > 0) this.#writeRows(rows);
    if (prefills.length === 0) return;
    const chunk = packChunk(prefills);
    this.#write(this.#layout.chunkAt, chunk.rows);
    this.#write(this.#layout.partsAt, chunk.parts);
    for (const prefill of prefills) this.#writePrompt(prefill);
  }

  #writeRows(rows: Batch['rows']): void {
    const slots = Uint32Array.from(rows, (row) => row.slot);
    const key = slots.join();
    if (key !== this.#rows) this.#write(this.#layout.rowsAt, slots);
    this.#rows = key;
    for (const row of rows) {
      this.#writeTable(row.slot, row.blockTable);
      if (row.tokenId !== null) this.#writeToken(row.slot, row.position, row.tokenId);
    }
  }

  #writeToken(slot: number, position: number, tokenId: number): void {
    const at = this.#layout.slotsAt + slot * SLOT_WORDS;
    this.#write(at + SLOT.position, Uint32Array.of(position));
    this.#write(at + SLOT.token, Uint32Array.of(tokenId));
    this.#writeIds(slot, position, Uint32Array.of(tokenId));
  }

  /** Of positions that the sampler has not fed back. */
  #writeIds(slot: number, position: number, ids: Uint32Array): void {
    this.#write(this.#layout.idsAt + slot * this.#layout.idsStride + position, ids);
  }

  #writePrompt(chunk: PrefillBatch): void {
    this.#writeTable(chunk.slot, chunk.blockTable);
    if (chunk.verifies) this.#writeIds(chunk.slot, chunk.startPosition, chunk.tokenIds);
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

/** Bans are biases of −100: a bad word of one token is one. */
function biasesOf({ logitBias, badWords }: SamplingParams): ReadonlyMap<number, number> {
  const biases = new Map(logitBias);
  for (const [id, ...rest] of badWords) if (id !== undefined && rest.length === 0) biases.set(id, -100);
  return biases;
}

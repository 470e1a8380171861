import { type KvBits, type KvLayout, kvLayout } from '../../src/kernels/kv-layout';
import { PHASE_WORDS, SLOT, SLOT_WORDS, type StateLayout, stateLayout } from '../../src/kernels/step-state';
import { PagedKv } from '../reference/paged-kv';
import type { Random } from '../reference/random';

/** NaN as a float and as a half: what a kernel reads by mistake shows. */
export const POISON = 0x7fff7fff;

/** A paged cache for attention tests: sequences with shuffled block tables, and the step state that describes them. */
export interface KvScene {
  readonly layout: KvLayout;
  readonly stateLayout: StateLayout;
  readonly state: Uint32Array;
  readonly kv: PagedKv;
  /** Block table of each sequence; sequence i lives in `slots[i]` and is decode row i. */
  readonly tables: readonly (readonly number[])[];
  readonly slots: readonly number[];
}

export interface KvSceneShape {
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly kvBits: KvBits;
  readonly blockTokens: 16 | 32;
  /** Tokens of each sequence. */
  readonly lengths: readonly number[];
  readonly rotaryDim?: number;
  readonly numRopeTables?: number;
  readonly keyBiasWords?: number;
}

const MAX_SLOTS = 16;
/** Fixed, so that every scene has the same state layout and pipelines are compiled once a shape. */
const MAX_BLOCKS = 16;
const MAX_TOKENS = 256;

function shuffled(count: number, random: Random): number[] {
  const ids = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [ids[i], ids[j]] = [ids[j] ?? 0, ids[i] ?? 0];
  }
  return ids;
}

/** Positions in the slots are those of the last token; the cache is all poison. */
export function kvScene(shape: KvSceneShape, random: Random): KvScene {
  const { lengths, numKvHeads, headDim, kvBits, blockTokens } = shape;
  const needs = lengths.map((length) => Math.ceil(length / blockTokens));
  const numBlocks = needs.reduce((sum, need) => sum + need, 0) + 3;
  const layout = kvLayout({ numLayers: 2, numKvHeads, headDim, kvBits, blockTokens, numBlocks });
  const states = stateLayout({
    maxSlots: MAX_SLOTS,
    maxChunkTokens: 128,
    maxBlocksPerSequence: MAX_BLOCKS,
    contextLength: MAX_TOKENS,
    rotaryDim: shape.rotaryDim ?? 2,
    numRopeTables: shape.numRopeTables ?? 1,
    keyBiasWords: shape.keyBiasWords ?? 0,
    planWords: PHASE_WORDS,
  });
  const state = new Uint32Array(states.totalWords);
  state.fill(numBlocks + 1000, states.tablesAt, states.tablesAt + MAX_SLOTS * states.tableStride);
  state.fill(POISON, states.rowsAt + lengths.length, states.failedAt);
  const ids = shuffled(numBlocks, random);
  const slots = shuffled(MAX_SLOTS, random).slice(0, lengths.length);
  const tables = needs.map((need) => ids.splice(0, need));
  for (const [row, slot] of slots.entries()) {
    state[states.rowsAt + row] = slot;
    state[states.slotsAt + slot * SLOT_WORDS + SLOT.position] = (lengths[row] ?? 0) - 1;
    state.set(tables[row] ?? [], states.tablesAt + slot * states.tableStride);
  }
  const kv = new PagedKv(layout, new Uint32Array(2 * layout.layerWords).fill(POISON), layout.layerWords);
  return { layout, stateLayout: states, state, kv, tables, slots };
}

/** Random K and V for tokens 0 … length − 1 of every sequence, with an offset so that min and max are lopsided. */
export function fillCache(scene: KvScene, lengths: readonly number[], random: Random): void {
  const { numKvHeads, headDim } = scene.layout;
  for (const [row, table] of scene.tables.entries())
    for (let position = 0; position < (lengths[row] ?? 0); position++)
      for (let head = 0; head < numKvHeads; head++)
        for (const side of ['k', 'v'] as const) {
          const shift = random.uniform();
          const values = random.normals(headDim).map((value) => value + shift);
          scene.kv.append(table, side, head, position, values);
        }
}

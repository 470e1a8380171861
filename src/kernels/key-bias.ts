import type { Defines } from '../gpu/shader';
import type { KvLayout } from './kv-layout';
import type { StateLayout } from './step-state';

/**
 * The part of K's bias that a layer keeps out of its cache, where it would cost the small numbers beside it their digits.
 * For each kv head the step state holds, in words: f32 bias [headDim] that rope_append subtracts from K; then, of the
 * rotary pairs (i, j) whose bias comes back as a term of the score, u32 pair numbers [numPairs] and f32 (b_i, b_j)
 * [numPairs]. Entries that a head does not need are pair 0 with zeros. Dims that are not rotated need no term: theirs is the
 * same at every position and falls out of the softmax.
 */
export interface KeyBiasCall {
  /** Word offset of that table in the step state. */
  readonly tableAt: number;
  /** Pairs of every head; a multiple of 4, 0 = no terms. */
  readonly numPairs: number;
  /** Float offset in scratch of f32 [rows][numHeads][numPairs][2], what a query makes of the pairs; a multiple of 4. */
  readonly termsAt: number;
  /** Floats from one row's to the next; a multiple of 4. */
  readonly termsStride: number;
}

/** What attention adds to its scores: the pairs' bias, rotated by the rope that the keys were rotated with. */
export interface KeyBiasTerms extends KeyBiasCall {
  readonly rope: { readonly table: number; readonly rotaryDim: number };
}

/** Words of the table of one layer. */
export function keyBiasWords(
  { numKvHeads, headDim }: Pick<KvLayout, 'numKvHeads' | 'headDim'>,
  numPairs: number,
): number {
  return numKvHeads * (headDim + 3 * numPairs);
}

/** Floats that one row's terms take. */
export function keyBiasFloats(numHeads: number, numPairs: number): number {
  return numHeads * numPairs * 2;
}

/** Constants of an attention kernel, for shaders that import `key_bias`. */
export function keyBiasDefines(terms: KeyBiasTerms | null): Defines {
  return terms === null || terms.numPairs === 0
    ? { BIAS_PAIRS: 0 }
    : { BIAS_PAIRS: terms.numPairs, ROTARY_DIM: terms.rope.rotaryDim, LAYERS_DIFFER: false };
}

/** Scalars of an attention kernel; 0 where its pipeline has no use for them. */
export function keyBiasParams(state: StateLayout, terms: KeyBiasTerms | null) {
  return {
    key_bias_at: terms?.tableAt ?? 0,
    terms_at: terms?.termsAt ?? 0,
    terms_stride: terms?.termsStride ?? 0,
    rope_at: terms ? state.ropeAt + terms.rope.table * state.ropeTableWords : 0,
  };
}

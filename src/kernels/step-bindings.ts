import type { BindingKind } from '../gpu/pipeline';

/**
 * Group 0 of every kernel of a forward step: the same four buffers for all, so that a whole step needs one bind group
 * for each pair of weight and KV slabs (GPU process time per dispatch falls by a quarter against a group a dispatch).
 *   0 weights  read   one slab of packed tensors
 *   1 scratch  write  f32 activations
 *   2 kv       write  one slab of the paged KV pool
 *   3 state    write  slots, block tables, chunk tokens, rope table (src/kernels/step-state.ts)
 * A kernel declares only those that it uses, with the element type that suits it.
 */
export const STEP_BINDINGS: readonly BindingKind[] = ['read', 'write', 'write', 'write'];

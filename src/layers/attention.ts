import { decodeAttention } from '../kernels/decode-attention';
import { prefillAttention } from '../kernels/prefill-attention';
import { ropeAppend } from '../kernels/rope-append';
import type { ForwardContext } from './forward-context';

export interface AttentionLayer {
  readonly layer: number;
  /** Tokens a query sees, itself included; 0 = all before it. */
  readonly window: number;
  /** Multiplies q · k. */
  readonly scale: number;
  readonly softcap?: number;
  /** Names of per-head norm weights of q and k, and whether they come before or after RoPE. */
  readonly qkNorm: { readonly q: string; readonly k: string; readonly when: 'before' | 'after' } | null;
  /** Rope table to use; null = no rotation. Default 0. */
  readonly ropeTable?: number | null;
  /** Rotary pairs are (2i, 2i + 1) instead of (i, i + rotaryDim / 2). */
  readonly interleaved?: boolean;
}

/** attended = softmax(scale · q Kᵀ) V over the paged cache, after q and k were rotated and k, v appended to it. */
export function attention(step: ForwardContext, call: AttentionLayer): void {
  const { gpu, state, kv, config, scratch, numRows, prefill, weights } = step;
  const { numHeads, rope, rmsNormEps } = config;
  const layerAt = step.layerAt(call.layer);
  const norm = call.qkNorm;
  const table = call.ropeTable === undefined ? 0 : call.ropeTable;
  const qkNorm = norm && { q: weights.get(norm.q), k: weights.get(norm.k), eps: rmsNormEps, when: norm.when };
  const append = ropeAppend(gpu, state, kv, {
    numRows,
    numHeads,
    layerAt,
    prefill,
    qkvAt: scratch.qkv.at,
    rope:
      table === null ? null : { table, rotaryDim: rope.rotaryDim, interleaved: call.interleaved ?? false },
    queryScale: call.scale,
    qkNorm: qkNorm ?? undefined,
  });
  step.push([append], qkNorm?.q.slab ?? 0, call.layer);
  const reads = {
    numRows,
    numHeads,
    layerAt,
    qAt: scratch.qkv.at,
    qStride: scratch.qkv.stride,
    outAt: scratch.attended.at,
    window: call.window,
    softcap: call.softcap ?? 0,
  };
  const dispatches = prefill
    ? [prefillAttention(gpu, state, kv, { ...reads, prefill })]
    : decodeAttention(gpu, state, kv, {
        ...reads,
        numSplits: step.numSplits,
        partialsAt: scratch.partials.at,
      });
  step.push(dispatches, qkNorm?.q.slab ?? 0, call.layer);
}

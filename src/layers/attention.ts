import { type DecodeAttentionCall, decodeAttention, isHeadsOf } from '../kernels/decode-attention';
import { prefillAttention, prefillSplits } from '../kernels/prefill-attention';
import { ropeAppend } from '../kernels/rope-append';
import type { RopeHeadCall } from '../kernels/rope-head';
import type { ContextChunk, ForwardContext } from './forward-context';
import { type LinearLayer, preparedFor } from './linear';
import { rmsNormInPlace } from './norm';

export interface AttentionHeads {
  /**
   * RMS norm of q and k with the layer's q_norm and k_norm: over each head, before or after the rope, or over all heads
   * at once (before it). Default: none.
   */
  readonly qkNorm?: 'before rope' | 'after rope' | 'all heads';
}

/**
 * attended = softmax(scale · q Kᵀ) V over the paged cache, after q and k were rotated and k, v appended to it. True: it lies
 * prepared for `next`, the linear that takes it.
 */
export function attention(
  step: ForwardContext,
  layer: number,
  heads: AttentionHeads,
  next: LinearLayer,
): boolean {
  const { config, scratch } = step;
  const { numHeads, numKvHeads, headDim } = config;
  if (heads.qkNorm === 'all heads') {
    const { at, stride } = scratch.qkv;
    const [qCols, kCols] = [numHeads * headDim, numKvHeads * headDim];
    rmsNormInPlace(step, `layers.${layer}.q_norm`, { at, stride }, qCols);
    rmsNormInPlace(step, `layers.${layer}.k_norm`, { at: at + qCols, stride }, kCols);
  }
  return attend(step, layer, heads, next);
}

/** Where rope_append norms each head; null: nowhere (the norm over all heads comes before it). */
const NORM_PLACES = {
  'before rope': 'before',
  'after rope': 'after',
  'all heads': null,
  none: null,
} as const;

function ropeHead(
  step: ForwardContext,
  layer: number,
  heads: AttentionHeads,
  rows: 'chunk' | 'decode',
): RopeHeadCall {
  const { config, weights } = step;
  const ropeIndex = config.layerRopes[layer] ?? null;
  const rope = ropeIndex === null ? undefined : config.ropes[ropeIndex];
  const when = NORM_PLACES[heads.qkNorm ?? 'none'];
  return {
    rope:
      rope === undefined || ropeIndex === null
        ? null
        : {
            table: step.ropeTable(ropeIndex, rows),
            rotaryDim: rope.rotaryDim,
            interleaved: config.interleavedRope,
          },
    queryScale: config.attentionScale,
    queryGrowth: config.queryGrowth,
    qkNorm: when
      ? {
          q: weights.get(`layers.${layer}.q_norm`),
          k: weights.get(`layers.${layer}.k_norm`),
          eps: config.rmsNormEps,
          when,
        }
      : undefined,
    keyBias: step.keyBias(layer),
  };
}

/**
 * Whether attention takes all rows as decode rows of one split. Several leave partials where a linear leaves its sums, and are
 * merged before anybody takes them.
 */
export function attendsWhole({ chunk, numSplits }: ForwardContext): boolean {
  return chunk === null && numSplits === 1;
}

/** What both kinds of rows ask for, of the rows from `firstRow` on. */
function attentionCall(step: ForwardContext, layer: number, firstRow: number) {
  const { config, scratch } = step;
  const { qkv, attended, partials } = scratch;
  return {
    numHeads: config.numHeads,
    layerAt: step.layerAt(layer),
    qkvAt: qkv.at + firstRow * qkv.stride,
    outAt: attended.at + firstRow * attended.stride,
    partialsAt: partials.at,
    window: config.layerWindows[layer] ?? 0,
    softcap: config.attentionSoftcap,
  };
}

/** True: all rows of the step are these, and lie prepared for `next`. */
function attendChunk(
  step: ForwardContext,
  layer: number,
  heads: AttentionHeads,
  chunk: ContextChunk,
  next: LinearLayer,
): boolean {
  const { gpu, state, kv, scratch } = step;
  const head = ropeHead(step, layer, heads, 'chunk');
  const call = {
    ...attentionCall(step, layer, 0),
    ...chunk,
    // of angles that the keys were rotated by
    keyBias: head.keyBias && head.rope ? { ...head.keyBias, rope: head.rope } : null,
  };
  const numSplits = prefillSplits(gpu, kv, call);
  const prepares = numSplits > 1 && step.numDecodeRows === 0 ? preparedFor(step, next) : null;
  const whole = { ...call, qAt: call.qkvAt, qStride: scratch.qkv.stride, numSplits, prepares };
  step.push(
    [ropeAppend(gpu, state, kv, { ...call, ...head }), ...prefillAttention(gpu, state, kv, whole)],
    normSlab(step, layer, heads) ?? 0,
    layer,
  );
  return prepares !== null;
}

/** Where the norms of heads lie; null without any. */
function normSlab(step: ForwardContext, layer: number, { qkNorm }: AttentionHeads): number | null {
  const isNormed = qkNorm && qkNorm !== 'all heads';
  return isNormed ? step.weights.get(`layers.${layer}.q_norm`).slab : null;
}

function decodeCall(step: ForwardContext, layer: number, heads: AttentionHeads): DecodeAttentionCall {
  const { chunk, numDecodeRows: numRows, numSplits } = step;
  const head = ropeHead(step, layer, heads, 'decode');
  const call = attentionCall(step, layer, chunk?.numRows ?? 0);
  return { ...call, ...head, numRows, numSplits };
}

function attend(step: ForwardContext, layer: number, heads: AttentionHeads, next: LinearLayer): boolean {
  const { gpu, state, kv, chunk, phases } = step;
  const isPrepared = chunk !== null && attendChunk(step, layer, heads, chunk, next);
  if (step.numDecodeRows === 0) return isPrepared;
  const slab = normSlab(step, layer, heads);
  const call = decodeCall(step, layer, heads);
  if (phases) {
    phases.attention(call, slab, layer);
    return false;
  }
  const sums = attendsWhole(step) ? step.takeSums((sums) => isHeadsOf(call, sums)) : null;
  const prepares = chunk === null ? preparedFor(step, next) : null;
  const weightSlab = slab ?? sums?.call.bias?.slab ?? 0;
  step.push(decodeAttention(gpu, state, kv, call, { sums, prepares }), weightSlab, layer);
  return prepares !== null;
}

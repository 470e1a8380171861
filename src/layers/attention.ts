import { decodeAttention } from '../kernels/decode-attention';
import { prefillAttention, prefillSplits } from '../kernels/prefill-attention';
import { ropeAppend } from '../kernels/rope-append';
import type { RopeHeadCall } from '../kernels/rope-head';
import type { ForwardContext } from './forward-context';
import { rmsNormInPlace } from './norm';

export interface AttentionHeads {
  /**
   * RMS norm of q and k with the layer's q_norm and k_norm: over each head, before or after the rope, or over all heads
   * at once (before it). Default: none.
   */
  readonly qkNorm?: 'before rope' | 'after rope' | 'all heads';
}

/** attended = softmax(scale · q Kᵀ) V over the paged cache, after q and k were rotated and k, v appended to it. */
export function attention(step: ForwardContext, layer: number, heads: AttentionHeads): void {
  const { config, scratch } = step;
  const { numHeads, numKvHeads, headDim } = config;
  if (heads.qkNorm === 'all heads') {
    const { at, stride } = scratch.qkv;
    const [qCols, kCols] = [numHeads * headDim, numKvHeads * headDim];
    rmsNormInPlace(step, `layers.${layer}.q_norm`, { at, stride }, qCols);
    rmsNormInPlace(step, `layers.${layer}.k_norm`, { at: at + qCols, stride }, kCols);
  }
  attend(step, layer, heads);
}

/** Where rope_append norms each head; null: nowhere (the norm over all heads comes before it). */
const NORM_PLACES = {
  'before rope': 'before',
  'after rope': 'after',
  'all heads': null,
  none: null,
} as const;

function ropeHead(step: ForwardContext, layer: number, heads: AttentionHeads): RopeHeadCall {
  const { config, weights } = step;
  const ropeIndex = config.layerRopes[layer] ?? null;
  const rope = ropeIndex === null ? undefined : config.ropes[ropeIndex];
  const when = NORM_PLACES[heads.qkNorm ?? 'none'];
  return {
    rope:
      rope === undefined || ropeIndex === null
        ? null
        : {
            table: step.ropeTable(ropeIndex),
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

function attend(step: ForwardContext, layer: number, heads: AttentionHeads): void {
  const { gpu, state, kv, config, scratch, numRows, prefill } = step;
  const head = ropeHead(step, layer, heads);
  const call = {
    numRows,
    numHeads: config.numHeads,
    layerAt: step.layerAt(layer),
    outAt: scratch.attended.at,
    window: config.layerWindows[layer] ?? 0,
    softcap: config.attentionSoftcap,
  };
  const qkvAt = scratch.qkv.at;
  // of angles that the keys were rotated by
  const keyBias = head.keyBias && head.rope ? { ...head.keyBias, rope: head.rope } : null;
  const dispatches = prefill
    ? [
        ropeAppend(gpu, state, kv, { ...call, ...head, qkvAt, prefill }),
        ...prefillAttention(gpu, state, kv, {
          ...call,
          qAt: qkvAt,
          qStride: scratch.qkv.stride,
          keyBias,
          numSplits: prefillSplits(gpu, kv, { ...call, keyBias, numTokens: prefill.startPosition + numRows }),
          partialsAt: scratch.partials.at,
          prefill,
        }),
      ]
    : decodeAttention(gpu, state, kv, {
        ...call,
        ...head,
        qkvAt,
        numSplits: step.numSplits,
        partialsAt: scratch.partials.at,
      });
  step.push(dispatches, head.qkNorm?.q.slab ?? 0, layer);
}

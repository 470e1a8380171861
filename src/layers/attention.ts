import { decodeAttention } from '../kernels/decode-attention';
import type { KeyBiasTerms } from '../kernels/key-bias';
import { prefillAttention } from '../kernels/prefill-attention';
import { ropeAppend } from '../kernels/rope-append';
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
  appendKeysAndValues(step, layer, heads);
  attend(step, layer);
}

/** Where rope_append norms each head; null: nowhere (the norm over all heads comes before it). */
const NORM_PLACES = {
  'before rope': 'before',
  'after rope': 'after',
  'all heads': null,
  none: null,
} as const;

function appendKeysAndValues(step: ForwardContext, layer: number, heads: AttentionHeads): void {
  const { gpu, state, kv, config, scratch, numRows, prefill, weights } = step;
  const ropeIndex = config.layerRopes[layer] ?? null;
  const rope = ropeIndex === null ? undefined : config.ropes[ropeIndex];
  const when = NORM_PLACES[heads.qkNorm ?? 'none'];
  const qkNorm = when && {
    q: weights.get(`layers.${layer}.q_norm`),
    k: weights.get(`layers.${layer}.k_norm`),
    eps: config.rmsNormEps,
    when,
  };
  const append = ropeAppend(gpu, state, kv, {
    numRows,
    numHeads: config.numHeads,
    layerAt: step.layerAt(layer),
    prefill,
    qkvAt: scratch.qkv.at,
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
    qkNorm: qkNorm ?? undefined,
    keyBias: step.keyBias(layer),
  });
  step.push([append], qkNorm?.q.slab ?? 0, layer);
}

function attend(step: ForwardContext, layer: number): void {
  const { gpu, state, kv, config, scratch, numRows, prefill } = step;
  const reads = {
    keyBias: keyBiasTerms(step, layer),
    numRows,
    numHeads: config.numHeads,
    layerAt: step.layerAt(layer),
    qAt: scratch.qkv.at,
    qStride: scratch.qkv.stride,
    outAt: scratch.attended.at,
    window: config.layerWindows[layer] ?? 0,
    softcap: config.attentionSoftcap,
  };
  const dispatches = prefill
    ? [prefillAttention(gpu, state, kv, { ...reads, prefill })]
    : decodeAttention(gpu, state, kv, {
        ...reads,
        numSplits: step.numSplits,
        partialsAt: scratch.partials.at,
      });
  step.push(dispatches, 0, layer);
}

/** Terms of scores for what append left out of K; their angles are those that the keys were rotated by. */
function keyBiasTerms(step: ForwardContext, layer: number): KeyBiasTerms | null {
  const { config } = step;
  const [keyBias, ropeIndex] = [step.keyBias(layer), config.layerRopes[layer] ?? null];
  const rope = ropeIndex === null ? undefined : config.ropes[ropeIndex];
  if (keyBias === null || ropeIndex === null || rope === undefined) return null;
  return { ...keyBias, rope: { table: step.ropeTable(ropeIndex), rotaryDim: rope.rotaryDim } };
}

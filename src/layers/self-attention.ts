import { type AttentionHeads, attendsWhole, attention } from './attention';
import { addBranch, branchOf } from './branch';
import type { ForwardContext } from './forward-context';
import { linear } from './linear';

export interface SelfAttentionLayer extends AttentionHeads {
  /** Norm of the input, by its name inside the layer. Default: none. */
  readonly norm?: string;
  /** Norm of what is added to the residual stream. Default: none. */
  readonly postNorm?: string;
}

/** hidden += s · postNorm(W_o · attention(q, k, v)), q ‖ k ‖ v = W_qkv · norm(hidden), s = residualScale */
export function selfAttention(step: ForwardContext, layer: number, call: SelfAttentionLayer): void {
  const at = `layers.${layer}`;
  const { hidden, qkv, attended } = step.scratch;
  linear(step, {
    weight: `${at}.qkv`,
    bias: `${at}.qkv_bias`,
    ...(call.norm ? { norm: `${at}.${call.norm}` } : {}),
    in: hidden,
    out: qkv,
    isAttended: attendsWhole(step),
  });
  const branch = branchOf(step, `${at}.o`, attended, call.postNorm && `${at}.${call.postNorm}`);
  const isPrepared = attention(step, layer, call, branch.linear);
  addBranch(step, branch, isPrepared);
}

import { addBranch, branchOf } from './branch';
import type { ForwardContext } from './forward-context';
import { linear } from './linear';

export interface MlpLayer {
  /** Norm of the input, by its name inside the layer. Default: none. */
  readonly norm?: string;
  /** Norm of what is added to the residual stream. Default: none. */
  readonly postNorm?: string;
}

/** hidden += s · postNorm(W_down · (act(gate) ∘ up)), gate ‖ up = W_gate_up · norm(hidden), s = residualScale */
export function mlp(step: ForwardContext, layer: number, call: MlpLayer): void {
  const at = `layers.${layer}`;
  const { hidden, inner } = step.scratch;
  linear(step, {
    weight: `${at}.gate_up`,
    bias: `${at}.gate_up_bias`,
    ...(call.norm ? { norm: `${at}.${call.norm}` } : {}),
    in: hidden,
    out: inner,
    gate: step.config.activation,
  });
  addBranch(step, branchOf(step, `${at}.down`, inner, call.postNorm && `${at}.${call.postNorm}`));
}

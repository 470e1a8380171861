import type { ForwardContext } from './forward-context';
import { linear } from './linear';

export interface MlpLayer {
  readonly gateUp: string;
  readonly down: string;
  readonly norm: string;
}

/** hidden += down · (act(gate · n) ∘ (up · n)) with n = norm(hidden) */
export function mlp(step: ForwardContext, { gateUp, down, norm }: MlpLayer): void {
  const { hidden, inner } = step.scratch;
  const gate = step.config.activation;
  linear(step, { weight: gateUp, bias: `${gateUp}_bias`, norm, in: hidden, out: inner, gate });
  linear(step, { weight: down, bias: `${down}_bias`, in: inner, out: hidden, residual: hidden });
}

import type { ForwardContext, Region } from './forward-context';
import { linear } from './linear';
import { addNormed } from './norm';

/** hidden += s · norm(W · in + bias) with s = residualScale: how attention and MLP end. */
export function addBranch(
  step: ForwardContext,
  weight: string,
  from: Region,
  postNorm: string | undefined,
): void {
  const { hidden, branch } = step.scratch;
  const { residualScale } = step.config;
  const call = { weight, bias: `${weight}_bias`, in: from };
  if (postNorm) {
    linear(step, { ...call, out: branch });
    addNormed(step, postNorm, branch, hidden, residualScale);
  } else linear(step, { ...call, out: hidden, residual: hidden, residualScale });
}

import type { ForwardContext, Region } from './forward-context';
import { type LinearLayer, linear } from './linear';
import { addNormed } from './norm';

/** How attention and MLP end: hidden += s · norm(W · in + bias) with s = residualScale. */
export interface Branch {
  readonly linear: LinearLayer;
  /** Norm of what is added. */
  readonly postNorm: string | undefined;
}

export function branchOf(
  { scratch, config }: ForwardContext,
  weight: string,
  from: Region,
  postNorm: string | undefined,
): Branch {
  const { hidden, branch } = scratch;
  const call = { weight, bias: `${weight}_bias`, in: from };
  const added = { out: hidden, residual: hidden, residualScale: config.residualScale };
  return { linear: { ...call, ...(postNorm ? { out: branch } : added) }, postNorm };
}

export function addBranch(step: ForwardContext, branch: Branch, isPrepared = false): void {
  const { scratch, config } = step;
  linear(step, { ...branch.linear, isPrepared });
  if (branch.postNorm) addNormed(step, branch.postNorm, scratch.branch, scratch.hidden, config.residualScale);
}

import { integerProduct, partSums } from '../kernels/gemm-integer';
import { integerCut } from '../kernels/integer-cut';
import type { LinearCall } from '../kernels/linear-call';
import type { ForwardContext } from './forward-context';

/**
 * A linear on matrices of bytes. Where workgroups share its K, it leaves their sums to what comes next: a linear that norms the
 * same rows finishes them while it prepares its own.
 */
export function integerLinear(step: ForwardContext, call: LinearCall): void {
  const { prepared, partials } = step.scratch;
  const scratch = { rowsAt: prepared.at, partsAt: partials.at, partFloats: partials.stride };
  const cut = integerCut(call, partials.stride);
  const before = step.takeSums(call);
  step.push(integerProduct(step.gpu, call, scratch, cut, before), call.weight.slab);
  const sums = partSums(call, scratch, cut);
  if (sums) step.leaveSums(sums);
}

import { integerProduct, partSums } from '../kernels/gemm-integer';
import { integerCut, planeRows } from '../kernels/integer-cut';
import type { PreparedOutput } from '../kernels/integer-rows';
import type { LinearCall } from '../kernels/linear-call';
import { isNormedNext } from '../kernels/part-sums';
import type { ForwardContext } from './forward-context';

/** What attention does of the work of such a linear. */
export interface IntegerNeighbours {
  /** The rows lie where and as `preparedOutput` says. */
  readonly isPrepared?: boolean;
  /** It takes the results, and finishes sums. */
  readonly isAttended?: boolean;
}

/**
 * A linear on matrices of bytes. Where workgroups share its K, it leaves their sums to what comes next: a linear that norms the
 * same rows finishes them while it prepares its own, and attention while it takes its heads.
 */
export function integerLinear(
  step: ForwardContext,
  call: LinearCall,
  { isPrepared = false, isAttended = false }: IntegerNeighbours = {},
): void {
  const { prepared, partials } = step.scratch;
  const scratch = { rowsAt: prepared.at, partsAt: partials.at, partFloats: partials.stride };
  const cut = integerCut(call, partials.stride, isAttended ? 'attention' : undefined);
  const before = isPrepared ? 'prepared' : step.takeSums((sums) => isNormedNext(sums, call));
  step.push(integerProduct(step.gpu, call, scratch, cut, before), call.weight.slab);
  const sums = partSums(call, scratch, cut);
  if (sums) step.leaveSums(sums);
}

/** Where the rows of such a linear are prepared. */
export function preparedOutput(step: ForwardContext, call: LinearCall): PreparedOutput {
  const { prepared, partials } = step.scratch;
  const { tile } = integerCut(call, partials.stride);
  return { weight: call.weight, rowsAt: prepared.at, planeRows: planeRows(call.numRows, tile) };
}

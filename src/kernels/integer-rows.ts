import source from '../../shaders/integer_rows.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { Defines } from '../gpu/shader';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { LinearCall } from './linear-call';
import { preparation, prepareRows } from './prepared-rows';

const PROGRAM = preparation('integer_rows', source);

/** Columns whose products are summed before they are scaled, at most. */
const MAX_GROUP_COLS = 128;

/** Columns of activations that share a scale: those of a group of the weight, or a part of it. */
export function integerGroupCols({ groupSize }: Pick<PlacedTensor, 'groupSize'>): number {
  return [MAX_GROUP_COLS, 64, 32].find((cols) => groupSize % cols === 0) ?? 32;
}

export function integerGroups(weight: Pick<PlacedTensor, 'groupSize' | 'paddedCols'>): number {
  return Math.ceil(weight.paddedCols / integerGroupCols(weight));
}

/** Floats of scratch that a row of a plane takes at most: two bytes a column, and three floats a group of 32. */
export function integerFloats(cols: number): number {
  const groups = Math.ceil(cols / 32);
  return groups * 16 + Math.ceil(groups / 2) * 4 + Math.ceil(groups / 4) * 4;
}

/**
 * The activations of a linear, normed where it asks for that, as 16-bit integers q = 256 h + l at float `outAt` of scratch: bytes h
 * [planeRows][paddedCols], bytes l likewise, then scales f32 [groups][planeRows] and scaled sums likewise. Rows from numRows on
 * are left as they are. `defersNorm`: they have only the gains of the norm, and each group's share of the mean of squares follows,
 * f32 [planeRows][groups in whole fours].
 */
export function integerRows(
  gpu: Gpu,
  call: LinearCall,
  outAt: number,
  planeRows: number,
  defersNorm = false,
): Dispatch {
  const defines = () => ({ ...integerDefines(call.weight), DEFERS: defersNorm });
  return prepareRows(gpu, PROGRAM, call, outAt, defines, planeRows, defersNorm);
}

/** Where another kernel leaves, in integers for `weight`, what it would leave in floats: at float `rowsAt` of scratch. */
export interface PreparedOutput {
  readonly weight: PlacedTensor;
  readonly rowsAt: number;
  readonly planeRows: number;
}

/** What such a row is for a weight, beside rowDefines. */
export function integerDefines(weight: PlacedTensor): Defines {
  const [groupCols, groups] = [integerGroupCols(weight), integerGroups(weight)];
  return { GK: groupCols, GROUPS: groups, K_TAIL: weight.cols !== groups * groupCols };
}

import type { LinearSpec } from '../models/weight-spec';
import type { QuantModule } from './quant-modules';
import type { PackedForm } from './weight-identity';

/** Rows [sourceRow, sourceRow + rows) of a matrix that become rows destRow … of a packed one. */
export interface RowSlice {
  readonly sourceRow: number;
  readonly rows: number;
  readonly destRow: number;
}

/** What a spec takes from one quantised module. */
export interface QuantRun {
  readonly module: QuantModule;
  readonly slices: readonly RowSlice[];
}

/**
 * How a linear is packed that is quantised in the checkpoint, in whole or in part.
 *
 * w4, without loss, where all its parts are in 4 bits and in the same column order. Parts with groups of different sizes
 * meet in groups of the greatest common size, their scales repeated.
 *
 * w16 otherwise: when a part was left in float (it was found too delicate for 4 bits, so it must not become 4 bits here),
 * when parts have different column orders, when sorting does not make the groups regular, or for an embedding with an
 * order, whose rows are read without a gather. Each weight is then (u − z) · s, rounded once to half.
 */
export function quantForm(spec: LinearSpec, quants: readonly QuantRun[], hasFloat: boolean): PackedForm {
  const w16 = { format: 'w16', groupSize: 0, permuted: false } as const;
  const orders = quants.map(({ module }) => module.order);
  const [first = null] = orders;
  const isOrdered = first !== null;
  const agree = orders.every((order) =>
    isOrdered ? order?.perm && first.perm && samePerm(order.perm, first.perm) : order === null,
  );
  if (hasFloat || !agree || (isOrdered && spec.role === 'head')) return w16;
  return { format: 'w4', groupSize: commonGroupSize(spec.cols, quants), permuted: isOrdered };
}

/** The column order of a permuted form. */
export function permOf(quants: readonly QuantRun[]): Uint32Array<ArrayBuffer> | null {
  return quants[0]?.module.order?.perm ?? null;
}

function commonGroupSize(cols: number, quants: readonly QuantRun[]): number {
  const sizes = quants.flatMap(({ module }) => (module.numGroups === 1 ? [] : [module.groupSize]));
  const common = sizes.reduce((a, b) => greatestCommonDivisor(a, b), 0);
  return common || Math.ceil(cols / 32) * 32;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function samePerm(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((column, at) => column === b[at]);
}

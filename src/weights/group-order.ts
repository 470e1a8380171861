import type { QuantLinear } from './formats/quant-linear';
import { badTensor } from './safetensors';

/** Groups that do not follow the columns (GPTQ with desc_act, compressed-tensors with actorder "group"). */
export interface GroupOrder {
  /** Group of each column, [K]. */
  readonly groups: Uint32Array<ArrayBuffer>;
  /**
   * The columns sorted by group, stably, [K]: sorted column j belongs to group ⌊j / groupSize⌋. null where the groups are
   * not of that size, so that sorting does not make them regular.
   */
  readonly perm: Uint32Array<ArrayBuffer> | null;
}

/**
 * What the bytes of g_idx mean. null where the columns are in order: group k div groupSize, or left unset (all zero, or
 * -1 in compressed-tensors). Throws `bad-checkpoint` for a group that does not exist.
 */
export function groupOrder(linear: QuantLinear, bytes: Uint8Array<ArrayBuffer>): GroupOrder | null {
  const { cols, groupSize, numGroups, layout, groupIndex } = linear;
  const index = new Int32Array(bytes.buffer, bytes.byteOffset, cols);
  if (layout === 'compressed' && index.some((group) => group === -1)) return null;
  const wrong = index.find((group) => group < 0 || group >= numGroups);
  if (wrong !== undefined)
    throw badTensor(
      groupIndex?.file ?? linear.codes.file,
      groupIndex?.name ?? linear.module,
      `puts a column into group ${wrong}, but there are ${numGroups} groups`,
    );
  if (index.every((group) => group === 0)) return null;
  if (index.every((group, column) => group === Math.floor(column / groupSize))) return null;
  const groups = Uint32Array.from(index);
  const perm = sortedColumns(groups, numGroups);
  const isRegular = perm.every((column, at) => groups[column] === Math.floor(at / groupSize));
  return { groups, perm: isRegular ? perm : null };
}

/** Counting sort, stable. */
function sortedColumns(groups: Uint32Array, numGroups: number): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(numGroups + 1);
  for (const group of groups) starts[group + 1] = (starts[group + 1] ?? 0) + 1;
  for (let group = 0; group < numGroups; group++)
    starts[group + 1] = (starts[group + 1] ?? 0) + (starts[group] ?? 0);
  const perm = new Uint32Array(groups.length);
  for (const [column, group] of groups.entries()) {
    const at = starts[group] ?? 0;
    perm[at] = column;
    starts[group] = at + 1;
  }
  return perm;
}

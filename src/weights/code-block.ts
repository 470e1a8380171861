import { type CodeLayout, FIRST_AXIS, MAX_REPACK_ROWS, type RepackCall } from '../kernels/repack';
import type { QuantLayout } from './formats/quant-linear';
import type { RowSlice } from './packed-form';
import type { PackedTensor } from './packed-tensor';

/** A part of the codes of a checkpoint matrix, on its way into the packed rows of one or several slices. */
export interface CodeBlock {
  readonly layout: CodeLayout;
  /** N of the whole matrix. */
  readonly sourceRows: number;
  /** The part, along the first axis of the codes. */
  readonly first: number;
  readonly count: number;
  readonly slices: readonly RowSlice[];
}

const CODE_LAYOUTS: Readonly<Record<QuantLayout, CodeLayout>> = {
  'awq-gemm': 'awq-gemm',
  'awq-gemv': 'row-major',
  'awq-fast': 'awq-fast',
  gptq: 'gptq',
  compressed: 'row-major',
};

export function codeLayout(layout: QuantLayout): CodeLayout {
  return CODE_LAYOUTS[layout];
}

/** Indices of the first axis in a block of at most `maxBytes` and what one dispatch takes; parts of columns by eights. */
export function countPerBlock(layout: CodeLayout, indexBytes: number, maxBytes: number): number {
  const { columns, rows } = FIRST_AXIS[layout];
  const fitting = Math.max(1, Math.floor(maxBytes / indexBytes));
  if (rows > 0) return Math.min(fitting, Math.floor(MAX_REPACK_ROWS / rows));
  const unit = 8 / columns;
  return Math.max(unit, Math.floor(fitting / unit) * unit);
}

/** One kernel call for each slice that the block bears on. Offsets in bytes: of the tensor, and of its column order. */
export function repackCalls(
  tensor: PackedTensor,
  block: CodeBlock,
  tensorAt: number,
  permAt: number | null,
): readonly RepackCall[] {
  const { layout, sourceRows, first, count } = block;
  const perIndex = FIRST_AXIS[layout].rows;
  const [heldFrom, heldTo] = perIndex > 0 ? [first * perIndex, (first + count) * perIndex] : [0, sourceRows];
  return block.slices.flatMap((slice) => {
    const sourceRow = Math.max(slice.sourceRow, heldFrom);
    const rows = Math.min(slice.sourceRow + slice.rows, heldTo) - sourceRow;
    if (rows <= 0) return [];
    const destRow = slice.destRow + sourceRow - slice.sourceRow;
    const { cols, paddedCols } = tensor;
    const codesAt = tensorAt / 4 + (destRow * paddedCols) / 8;
    const order = { permAt: permAt === null ? null : permAt / 4 };
    return [{ layout, cols, paddedCols, sourceRows, first, count, sourceRow, rows, codesAt, ...order }];
  });
}

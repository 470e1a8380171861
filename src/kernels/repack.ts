import source from '../../shaders/repack.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { PipelineHandle, ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { QUANTIZE_BINDINGS } from './quantize';

const PARAMS = {
  cols: 'u32',
  source_rows: 'u32',
  first: 'u32',
  count: 'u32',
  source_row: 'u32',
  rows: 'u32',
  first_word: 'u32',
  num_words: 'u32',
  row_words: 'u32',
  codes_at: 'u32',
  perm_at: 'u32',
} as const;

/** The bind group of quantize.wgsl: checkpoint bytes, flags (not used), the slab that receives the packed tensor. */
const PROGRAM: ShaderProgram = { name: 'repack', source, params: PARAMS, bindings: QUANTIZE_BINDINGS };

/** Order of the codes in the checkpoint; shaders/repack.wgsl describes them. */
const LAYOUTS = { 'awq-gemm': 0, gptq: 1, 'row-major': 2, 'awq-fast': 3 } as const;
export type CodeLayout = keyof typeof LAYOUTS;

const WORKGROUP_SIZE = 64;
/** Rows that one dispatch may cover where rows are the slow direction. */
export const MAX_REPACK_ROWS = 65535;

/** What one index of the first axis of the source holds: columns of all rows, or rows with all columns. */
export const FIRST_AXIS: Readonly<Record<CodeLayout, { readonly columns: number; readonly rows: number }>> = {
  'awq-gemm': { columns: 1, rows: 0 },
  gptq: { columns: 8, rows: 0 },
  'row-major': { columns: 0, rows: 1 },
  'awq-fast': { columns: 0, rows: 4 },
};

export interface RepackCall {
  readonly layout: CodeLayout;
  /** Columns of the matrix, K. */
  readonly cols: number;
  readonly paddedCols: number;
  /** Rows of the whole matrix, N. */
  readonly sourceRows: number;
  /** The part of the first axis that the source buffer holds; parts of columns begin at multiples of 8. */
  readonly first: number;
  readonly count: number;
  /** Matrix row that becomes the first packed row. */
  readonly sourceRow: number;
  readonly rows: number;
  /** Word offset in the slab of the first packed row. */
  readonly codesAt: number;
  /** Word offset in the slab of the column order; null: as they are. */
  readonly permAt: number | null;
}

/** The program for one layout; ask early, so that it compiles while the first bytes come. */
export function repackPipeline(gpu: Gpu, layout: CodeLayout, permuted: boolean): PipelineHandle {
  return gpu.pipelines.request(PROGRAM, { LAYOUT: LAYOUTS[layout], PERMUTED: permuted });
}

/** Moves 4-bit codes into their packed rows. */
export function repack(gpu: Gpu, call: RepackCall): Dispatch {
  const { layout, cols, rows, first, count, permAt } = call;
  const rowWords = call.paddedCols / 8;
  const [firstWord, endWord] = wordRange(call);
  const numWords = endWord - firstWord;
  const params = packParams(PARAMS, {
    cols,
    source_rows: call.sourceRows,
    first,
    count,
    source_row: call.sourceRow,
    rows,
    first_word: firstWord,
    num_words: numWords,
    row_words: rowWords,
    codes_at: call.codesAt,
    perm_at: permAt ?? 0,
  });
  const [fast, slow] = FIRST_AXIS[layout].columns > 0 ? [rows, numWords] : [numWords, rows];
  return {
    pipeline: repackPipeline(gpu, layout, permAt !== null),
    params,
    workgroups: [Math.ceil(fast / WORKGROUP_SIZE), slow, 1],
  };
}

/** Words of a packed row that the source buffer bears on; the last part of the columns clears the padding too. */
function wordRange({
  layout,
  cols,
  paddedCols,
  first,
  count,
  permAt,
}: RepackCall): readonly [number, number] {
  const { columns } = FIRST_AXIS[layout];
  if (columns === 0 || permAt !== null) return [0, paddedCols / 8];
  const end = (first + count) * columns;
  return [(first * columns) / 8, end >= cols ? paddedCols / 8 : end / 8];
}

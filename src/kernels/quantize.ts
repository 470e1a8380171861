import source from '../../shaders/quantize.wgsl?raw';
import type { Gpu } from '../gpu/device';
import { type Dispatch, MAX_WORKGROUPS } from '../gpu/dispatch';
import type { BindingKind, PipelineHandle, ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { FORMAT_BITS, type PackedFormat } from '../weights/packed-tensor';

const PARAMS = {
  rows: 'u32',
  cols: 'u32',
  padded_cols: 'u32',
  codes_at: 'u32',
  scales_at: 'u32',
  flag_at: 'u32',
} as const;

/** 0 checkpoint rows, 1 flags, 2 the slab that receives the packed tensor. */
export const QUANTIZE_BINDINGS: readonly BindingKind[] = ['read', 'write', 'write'];

const PROGRAM: ShaderProgram = { name: 'quantize', source, params: PARAMS, bindings: QUANTIZE_BINDINGS };

/** Bits of a flag word. */
export const NOT_FINITE = 1;
export const TOO_LARGE = 2;

const SOURCES = { F32: 0, F16: 1, BF16: 2 } as const;
export type FloatDtype = keyof typeof SOURCES;
export type LinearFormat = Exclude<PackedFormat, 'f32' | 'u32'>;

const WORKGROUP_SIZE = 64;
/** w16 has no groups; a thread then converts 32 columns. */
const W16_COLUMNS = 32;

export interface QuantizeCall {
  readonly dtype: FloatDtype;
  readonly format: LinearFormat;
  /** Columns that share a scale; of no meaning for w16. */
  readonly groupSize: number;
  /** Rows in the source buffer. */
  readonly rows: number;
  readonly cols: number;
  readonly paddedCols: number;
  /** Word offset in the slab of the codes of the first of these rows. */
  readonly codesAt: number;
  /** Word offset in the slab of the scales of the first of these rows. */
  readonly scalesAt: number;
  readonly flagAt: number;
}

/** Rows that one dispatch may cover. */
export function maxQuantizeRows(format: LinearFormat, groupSize: number, paddedCols: number): number {
  const groups = Math.ceil(paddedCols / groupColumns(format, groupSize));
  return Math.max(1, Math.floor((MAX_WORKGROUPS * WORKGROUP_SIZE) / groups));
}

/** The program for one kind of checkpoint and format; ask early, so that it compiles while the first bytes come. */
export function quantizePipeline(
  gpu: Gpu,
  dtype: FloatDtype,
  format: LinearFormat,
  groupSize: number,
): PipelineHandle {
  const bits = FORMAT_BITS[format];
  return gpu.pipelines.request(PROGRAM, {
    BITS: bits,
    MAX_CODE: 2 ** bits - 1,
    GROUP_SIZE: groupColumns(format, groupSize),
    SOURCE: SOURCES[dtype],
  });
}

/** Packs rows of a float matrix: codes and scales by round to nearest, or halves. */
export function quantize(gpu: Gpu, call: QuantizeCall): Dispatch {
  const params = packParams(PARAMS, {
    rows: call.rows,
    cols: call.cols,
    padded_cols: call.paddedCols,
    codes_at: call.codesAt,
    scales_at: call.scalesAt,
    flag_at: call.flagAt,
  });
  const groups = Math.ceil(call.paddedCols / groupColumns(call.format, call.groupSize));
  return {
    pipeline: quantizePipeline(gpu, call.dtype, call.format, call.groupSize),
    params,
    workgroups: [Math.ceil((call.rows * groups) / WORKGROUP_SIZE), 1, 1],
  };
}

function groupColumns(format: LinearFormat, groupSize: number): number {
  return format === 'w16' ? W16_COLUMNS : groupSize;
}

import { TabmindError } from '../errors';
import { maxQuantizeRows } from '../kernels/quantize';
import { codeLayout, countPerBlock } from './code-block';
import { permOf, type QuantRun } from './packed-form';
import { orderName } from './packed-tensor';
import type { TensorEntry } from './safetensors';
import type { ImageTensor, SlabLayout } from './slab-layout';
import type { ConversionNeeds } from './slab-memory';
import type { RowRun, WeightPlan } from './weight-plan';

/** Bytes [begin, end) of a file of the checkpoint. */
export interface ByteRange {
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

/** Rows of a float matrix, or elements of a vector (rows of one). */
interface RowsPiece {
  readonly kind: 'rows';
  readonly reads: readonly [ByteRange];
  readonly run: RowRun;
  readonly firstRow: number;
  readonly rows: number;
  readonly flagAt: number;
}

/** A part of the codes of a quantised matrix. */
interface CodesPiece {
  readonly kind: 'codes';
  readonly reads: readonly [ByteRange];
  readonly run: QuantRun;
  readonly first: number;
  readonly count: number;
}

/** All scales of a quantised matrix, and its zero points where it has any. */
interface ScalesPiece {
  readonly kind: 'scales';
  readonly reads: readonly ByteRange[];
  readonly run: QuantRun;
}

/** A whole quantised matrix that is packed as halves: codes, scales, zero points. */
interface HalvesPiece {
  readonly kind: 'halves';
  readonly reads: readonly ByteRange[];
  readonly run: QuantRun;
  /** Rows that are made at once. */
  readonly maxRows: number;
  readonly flagAt: number;
}

/** What is read at once, and what it is. */
export type Piece = RowsPiece | CodesPiece | ScalesPiece | HalvesPiece;

/** One tensor to be made, and the pieces that it is made of. */
export interface Job {
  readonly tensor: ImageTensor;
  readonly plan: WeightPlan;
  readonly pieces: readonly Piece[];
  /** Of the column order of a linear, which needs no reading any more. */
  readonly order: Uint32Array<ArrayBuffer> | null;
}

export function pieceBytes(piece: Piece): number {
  return piece.reads.reduce((sum, { begin, end }) => sum + end - begin, 0);
}

/** The jobs of a whole image, in its order. */
export function makeJobs(
  plans: readonly WeightPlan[],
  layout: SlabLayout,
  maxBlockBytes: number,
): readonly Job[] {
  const byName = new Map(plans.map((plan) => [plan.spec.name, plan]));
  const byOrder = new Map(plans.map((plan) => [orderName(plan.spec.name), plan]));
  let numFlags = 0;
  return layout.tensors.map((tensor) => {
    const plan = (tensor.format === 'u32' ? byOrder : byName).get(tensor.name);
    if (!plan) throw new TabmindError('internal', `no plan for ${tensor.name}`);
    if (tensor.format === 'u32') return { tensor, plan, pieces: [], order: permOf(plan.quants) };
    const rows = plan.runs.flatMap((run) => rowPieces(tensor, run, maxBlockBytes, numFlags++));
    const quants = plan.quants.flatMap((run): readonly Piece[] =>
      tensor.format === 'w4'
        ? [...codesPieces(run, maxBlockBytes), scalesPiece(run)]
        : [halvesPiece(tensor, run, maxBlockBytes, numFlags++)],
    );
    return { tensor, plan, pieces: [...rows, ...quants], order: null };
  });
}

/** What conversion needs from the GPU, from the plan alone. */
export function conversionNeeds(
  plans: readonly WeightPlan[],
  layout: SlabLayout,
  maxBlockBytes: number,
): ConversionNeeds {
  const programs = new Map<string, ConversionNeeds['programs'][number]>();
  const repacks = new Map<string, ConversionNeeds['repacks'][number]>();
  let [largestBytes, numFlags] = [16, 1];
  for (const { tensor, plan, pieces } of makeJobs(plans, layout, maxBlockBytes))
    for (const piece of pieces) {
      if ('flagAt' in piece) numFlags = Math.max(numFlags, piece.flagAt + 1);
      const { format, groupSize } = tensor;
      if (format === 'f32' || format === 'u32' || piece.kind === 'scales') continue;
      if (piece.kind === 'codes') {
        const [codes, permuted] = [codeLayout(piece.run.module.layout), permOf(plan.quants) !== null];
        repacks.set(`${codes} ${permuted}`, { layout: codes, permuted });
      } else {
        const dtype = piece.kind === 'rows' ? piece.run.dtype : 'F32';
        programs.set(`${dtype} ${format} ${groupSize}`, { dtype, format, groupSize });
      }
      const bytes = piece.kind === 'halves' ? piece.maxRows * tensor.cols * 4 : pieceBytes(piece);
      largestBytes = Math.max(largestBytes, bytes);
    }
  return {
    maxBlockBytes: largestBytes + 4,
    numFlags,
    programs: [...programs.values()],
    repacks: [...repacks.values()],
  };
}

function rowPieces(
  tensor: ImageTensor,
  run: RowRun,
  maxBlockBytes: number,
  flagAt: number,
): readonly RowsPiece[] {
  const maxRows = rowsPerBlock(tensor, run.rowBytes, maxBlockBytes);
  return steps(run.rows, maxRows).map(([firstRow, rows]) => {
    const begin = run.begin + firstRow * run.rowBytes;
    const reads = [{ file: run.file, begin, end: begin + rows * run.rowBytes }] as const;
    return { kind: 'rows', reads, run, firstRow, rows, flagAt };
  });
}

function rowsPerBlock(tensor: ImageTensor, rowBytes: number, maxBlockBytes: number): number {
  const fitting = Math.max(1, Math.floor(maxBlockBytes / rowBytes));
  if (tensor.format === 'f32' || tensor.format === 'u32') return fitting;
  return Math.min(fitting, maxQuantizeRows(tensor.format, tensor.groupSize, tensor.paddedCols));
}

function codesPieces(run: QuantRun, maxBlockBytes: number): readonly CodesPiece[] {
  const { codes, layout } = run.module;
  const [length = 0] = codes.shape;
  const indexBytes = (codes.end - codes.begin) / length;
  const perBlock = countPerBlock(codeLayout(layout), indexBytes, maxBlockBytes);
  return steps(length, perBlock).map(([first, count]) => {
    const begin = codes.begin + first * indexBytes;
    const reads = [{ file: codes.file, begin, end: begin + count * indexBytes }] as const;
    return { kind: 'codes', reads, run, first, count };
  });
}

function scalesPiece(run: QuantRun): ScalesPiece {
  const { scales, zeros } = run.module;
  return { kind: 'scales', reads: wholeTensors(scales, zeros), run };
}

function halvesPiece(tensor: ImageTensor, run: QuantRun, maxBlockBytes: number, flagAt: number): HalvesPiece {
  const { codes, scales, zeros } = run.module;
  const maxRows = rowsPerBlock(tensor, tensor.cols * 4, maxBlockBytes);
  return { kind: 'halves', reads: wholeTensors(codes, scales, zeros), run, maxRows, flagAt };
}

function wholeTensors(...entries: readonly (TensorEntry | null)[]): readonly ByteRange[] {
  return entries.flatMap((entry) =>
    entry ? [{ file: entry.file, begin: entry.begin, end: entry.end }] : [],
  );
}

/** [start, count] pairs that cut `length` into pieces of at most `most`. */
function steps(length: number, most: number): readonly (readonly [number, number])[] {
  return Array.from({ length: Math.ceil(length / most) }, (_, i) => {
    const start = i * most;
    return [start, Math.min(most, length - start)] as const;
  });
}

import { TabmindError } from '../errors';
import type { FloatDtype } from '../kernels/quantize';
import type { LinearSpec, TensorPart, VectorSpec, WeightSpec } from '../models/weight-spec';
import type { TensorEntry } from './safetensors';
import type { TensorDirectory } from './tensor-directory';

/** Consecutive rows of one checkpoint tensor that become rows `destRow …` of a packed one. Vectors: rows of one element. */
export interface RowRun {
  /** Name in the checkpoint. */
  readonly tensor: string;
  readonly file: string;
  readonly dtype: FloatDtype;
  readonly begin: number;
  readonly rows: number;
  readonly rowBytes: number;
  readonly destRow: number;
}

/** Where the values of one spec come from; rows that no run covers are zeros (optional biases). */
export interface WeightPlan {
  readonly spec: WeightSpec;
  readonly runs: readonly RowRun[];
}

export interface CheckpointPlan {
  /** One for each spec, in the same order. */
  readonly plans: readonly WeightPlan[];
  readonly warnings: readonly string[];
}

const ELEMENT_BYTES: Readonly<Record<FloatDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

/**
 * Finds every part of every spec in the directory and checks dtype and shape, before any of the data is read.
 * Throws `bad-checkpoint` naming the tensor; tensors that nobody asks for are a warning.
 */
export function planWeights(specs: readonly WeightSpec[], directory: TensorDirectory): CheckpointPlan {
  const used = new Set<string>();
  const plans = specs.map((spec) => {
    const runs = spec.kind === 'linear' ? linearRuns(spec, directory) : vectorRuns(spec, directory);
    for (const run of runs) used.add(run.tensor);
    return { spec, runs };
  });
  const unused = [...directory.tensors.keys()].filter((name) => !used.has(name));
  return { plans, warnings: unused.length > 0 ? [unusedWarning(unused)] : [] };
}

function linearRuns(spec: LinearSpec, directory: TensorDirectory): RowRun[] {
  const runs: RowRun[] = [];
  let destRow = 0;
  for (const part of spec.parts) {
    const { entry, dtype } = findTensor(part, directory);
    const [rows = 0, cols] = entry.shape;
    const [start, count] = [part.rowStart ?? 0, part.rowCount ?? rows - (part.rowStart ?? 0)];
    if (entry.shape.length !== 2 || cols !== spec.cols || start + count > rows || count < 1)
      throw wrongShape(entry, `[${expectedRows(part, spec.parts, spec.rows)}, ${spec.cols}]`);
    runs.push(rowRun(entry, dtype, start, count, spec.cols * ELEMENT_BYTES[dtype], destRow));
    destRow += count;
  }
  const last = runs.at(-1);
  if (destRow !== spec.rows) throw wrongTotal(spec.name, last, destRow, spec.rows, 'rows');
  return runs;
}

function vectorRuns(spec: VectorSpec, directory: TensorDirectory): RowRun[] {
  const runs: RowRun[] = [];
  let destRow = 0;
  for (const part of spec.parts) {
    if (spec.optional && !directory.tensors.has(tensorName(part))) {
      destRow += missingLength(part, spec, directory);
      continue;
    }
    const { entry, dtype } = findTensor(part, directory);
    const [length = 0] = entry.shape;
    const [start, count] = [part.rowStart ?? 0, part.rowCount ?? length - (part.rowStart ?? 0)];
    if (entry.shape.length !== 1 || start + count > length || count < 1)
      throw wrongShape(entry, `[${expectedRows(part, spec.parts, spec.cols)}]`);
    runs.push(rowRun(entry, dtype, start, count, ELEMENT_BYTES[dtype], destRow));
    destRow += count;
  }
  if (destRow !== spec.cols && runs.length > 0)
    throw wrongTotal(spec.name, runs.at(-1), destRow, spec.cols, 'elements');
  return runs;
}

/** In words for a message: the share of one of several parts is not known here. */
function expectedRows(part: TensorPart, parts: readonly TensorPart[], total: number): string {
  return String(part.rowCount ?? (parts.length === 1 ? total : 'rows'));
}

/** An absent bias is as long as its matrix has rows. */
function missingLength(part: TensorPart, spec: VectorSpec, directory: TensorDirectory): number {
  if (part.rowCount !== undefined) return part.rowCount;
  if (spec.parts.length === 1) return spec.cols;
  return directory.tensors.get(`${part.module}.weight`)?.shape[0] ?? 0;
}

function rowRun(
  entry: TensorEntry,
  dtype: FloatDtype,
  start: number,
  rows: number,
  rowBytes: number,
  destRow: number,
): RowRun {
  const { name, file, begin } = entry;
  return { tensor: name, file, dtype, begin: begin + start * rowBytes, rows, rowBytes, destRow };
}

function tensorName(part: TensorPart): string {
  return `${part.module}.${part.leaf}`;
}

function findTensor(
  part: TensorPart,
  directory: TensorDirectory,
): { readonly entry: TensorEntry; readonly dtype: FloatDtype } {
  const name = tensorName(part);
  const entry = directory.tensors.get(name);
  if (!entry) throw missingTensor(name, part, directory);
  const { dtype } = entry;
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return { entry, dtype };
  throw badTensor(entry.file, name, `is stored as ${dtype}; tabmind reads F32, F16 and BF16`);
}

function missingTensor(name: string, part: TensorPart, directory: TensorDirectory): TabmindError {
  const file = directory.files.map((one) => one.file).join(', ');
  const packed = ['qweight', 'weight_packed'].find((leaf) => directory.tensors.has(`${part.module}.${leaf}`));
  const hint = packed ? ` (there is a ${packed}, but config.json says nothing of a quantisation)` : '';
  return badTensor(file, name, `is missing${hint}`);
}

function wrongShape(entry: TensorEntry, expected: string): TabmindError {
  return badTensor(
    entry.file,
    entry.name,
    `has the shape [${entry.shape.join(', ')}]; config.json asks for ${expected}`,
  );
}

function wrongTotal(
  name: string,
  last: RowRun | undefined,
  found: number,
  expected: number,
  unit: string,
): TabmindError {
  return badTensor(
    last?.file ?? '',
    last?.tensor ?? name,
    `does not fit: ${name} gets ${found} ${unit}; config.json asks for ${expected}`,
  );
}

export function badTensor(file: string, name: string, what: string): TabmindError {
  return new TabmindError('bad-checkpoint', `${file}: tensor ${name} ${what}.`, {
    meaning: 'The weights do not belong to this config.json, or are damaged.',
    remedy: 'Download the checkpoint again, or choose another one.',
    details: { file, tensor: name },
  });
}

function unusedWarning(unused: readonly string[]): string {
  const shown = unused.slice(0, 5).join(', ');
  const more = unused.length > 5 ? `, and ${unused.length - 5} more` : '';
  return `The checkpoint holds tensors that this model does not use: ${shown}${more}.`;
}

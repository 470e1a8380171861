import type { TabmindError } from '../errors';
import type { FloatDtype } from '../kernels/quantize';
import type { LinearSpec, TensorPart, VectorSpec, WeightSpec } from '../models/weight-spec';
import { hasCodes } from './formats/quant-settings';
import { type QuantRun, quantForm } from './packed-form';
import type { QuantModule, QuantModules } from './quant-modules';
import { badTensor, type TensorEntry } from './safetensors';
import type { TensorDirectory } from './tensor-directory';
import type { PackedForms } from './weight-identity';

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

/** Where the values of one spec come from; rows that nothing covers are zeros (optional biases). */
export interface WeightPlan {
  readonly spec: WeightSpec;
  /** What is stored in float. */
  readonly runs: readonly RowRun[];
  /** What is stored in 4 bits. */
  readonly quants: readonly QuantRun[];
}

export interface CheckpointPlan {
  /** One for each spec, in the same order. */
  readonly plans: readonly WeightPlan[];
  /** Of the linears that are quantised, at least in part. */
  readonly forms: PackedForms;
  /** Names of tensors that nobody asks for. */
  readonly unused: readonly string[];
}

const ELEMENT_BYTES: Readonly<Record<FloatDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

/**
 * Finds every part of every spec in the directory and checks dtype and shape, before any of the data is read.
 * Throws `bad-checkpoint` naming the tensor.
 */
export function planWeights(
  specs: readonly WeightSpec[],
  directory: TensorDirectory,
  modules: QuantModules['modules'] = new Map(),
): CheckpointPlan {
  const plans = specs.map((spec) =>
    spec.kind === 'linear'
      ? linearPlan(spec, directory, modules)
      : { spec, runs: vectorRuns(spec, directory, modules), quants: [] },
  );
  const forms = Object.fromEntries(
    plans.flatMap(({ spec, runs, quants }) =>
      spec.kind === 'linear' && quants.length > 0
        ? [[spec.name, quantForm(spec, quants, runs.length > 0)] as const]
        : [],
    ),
  );
  const used = new Set(plans.flatMap(({ runs }) => runs.map((run) => run.tensor)));
  for (const { codes, scales, zeros, groupIndex, redundant } of modules.values())
    for (const name of [codes.name, scales.name, zeros?.name, groupIndex?.name, ...redundant])
      if (name !== undefined) used.add(name);
  return { plans, forms, unused: [...directory.tensors.keys()].filter((name) => !used.has(name)) };
}

function linearPlan(
  spec: LinearSpec,
  directory: TensorDirectory,
  modules: QuantModules['modules'],
): WeightPlan {
  const runs: RowRun[] = [];
  const quants = new Map<string, { module: QuantModule; slices: QuantRun['slices'][number][] }>();
  let destRow = 0;
  let last: TensorEntry | undefined;
  for (const part of spec.parts) {
    const module = modules.get(part.module);
    const { entry, dtype } = module ? { entry: module.codes, dtype: null } : findTensor(part, directory);
    const rows = module?.rows ?? entry.shape[0] ?? 0;
    const [start, count] = [part.rowStart ?? 0, part.rowCount ?? rows - (part.rowStart ?? 0)];
    const fits = module
      ? module.cols === spec.cols
      : entry.shape.length === 2 && entry.shape[1] === spec.cols;
    if (!fits || start + count > rows || count < 1)
      throw wrongShape(entry, `[${expectedRows(part, spec.parts, spec.rows)}, ${spec.cols}]`);
    if (module) {
      const run = quants.get(part.module) ?? { module, slices: [] };
      run.slices.push({ sourceRow: start, rows: count, destRow });
      quants.set(part.module, run);
    } else if (dtype)
      runs.push(rowRun(entry, dtype, start, count, spec.cols * ELEMENT_BYTES[dtype], destRow));
    destRow += count;
    last = entry;
  }
  if (destRow !== spec.rows) throw wrongTotal(spec.name, last, destRow, spec.rows, 'rows');
  return { spec, runs, quants: [...quants.values()] };
}

function vectorRuns(
  spec: VectorSpec,
  directory: TensorDirectory,
  modules: QuantModules['modules'],
): RowRun[] {
  const runs: RowRun[] = [];
  let last: TensorEntry | undefined;
  let destRow = 0;
  for (const part of spec.parts) {
    if (spec.optional && !directory.tensors.has(tensorName(part))) {
      destRow += missingLength(part, spec, directory, modules);
      continue;
    }
    const { entry, dtype } = findTensor(part, directory);
    const [length = 0] = entry.shape;
    const [start, count] = [part.rowStart ?? 0, part.rowCount ?? length - (part.rowStart ?? 0)];
    if (entry.shape.length !== 1 || start + count > length || count < 1)
      throw wrongShape(entry, `[${expectedRows(part, spec.parts, spec.cols)}]`);
    runs.push(rowRun(entry, dtype, start, count, ELEMENT_BYTES[dtype], destRow));
    destRow += count;
    last = entry;
  }
  if (destRow !== spec.cols && runs.length > 0)
    throw wrongTotal(spec.name, last, destRow, spec.cols, 'elements');
  return runs;
}

/** In words for a message: the share of one of several parts is not known here. */
function expectedRows(part: TensorPart, parts: readonly TensorPart[], total: number): string {
  return String(part.rowCount ?? (parts.length === 1 ? total : 'rows'));
}

/** An absent bias is as long as its matrix has rows. */
function missingLength(
  part: TensorPart,
  spec: VectorSpec,
  directory: TensorDirectory,
  modules: QuantModules['modules'],
): number {
  if (part.rowCount !== undefined) return part.rowCount;
  if (spec.parts.length === 1) return spec.cols;
  return modules.get(part.module)?.rows ?? directory.tensors.get(`${part.module}.weight`)?.shape[0] ?? 0;
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
  const isPacked = hasCodes({ module: part.module, directory });
  const hint = isPacked
    ? ' (there is a qweight or weight_packed, but config.json says nothing of a quantisation)'
    : '';
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
  last: TensorEntry | undefined,
  found: number,
  expected: number,
  unit: string,
): TabmindError {
  return badTensor(
    last?.file ?? '',
    last?.name ?? name,
    `does not fit: ${name} gets ${found} ${unit}; config.json asks for ${expected}`,
  );
}

export function unusedWarning(unused: readonly string[]): string {
  const shown = unused.slice(0, 5).join(', ');
  const more = unused.length > 5 ? `, and ${unused.length - 5} more` : '';
  return `The checkpoint holds tensors that this model does not use: ${shown}${more}.`;
}

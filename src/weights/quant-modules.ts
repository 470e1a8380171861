import { lazyPart } from '../lazy-part';
import { type JsonObject, parseJsonObject } from '../models/config';
import type { WeightSpec } from '../models/weight-spec';
import type { QuantLinear } from './formats/quant-linear';
import { hasCodes, type QuantSettings, quantConfig } from './formats/quant-settings';
import { type GroupOrder, groupOrder } from './group-order';
import { prefetch } from './prefetch';
import type { TensorEntry } from './safetensors';
import type { ModelSource } from './source';
import type { TensorDirectory } from './tensor-directory';

/** A linear that the checkpoint holds in 4 bits, with the order of its groups. */
export interface QuantModule extends QuantLinear {
  /** null: columns in order. */
  readonly order: GroupOrder | null;
  /** GPTQ v1 with zero points of its own, from a writer that does not carry between them: 15 may mean damage. */
  readonly isFifteenDoubtful: boolean;
}

export interface QuantModules {
  /** By the names of the modules; empty for a float checkpoint. */
  readonly modules: ReadonlyMap<string, QuantModule>;
  readonly warnings: readonly string[];
}

const READ_AHEAD = { maxItems: 6, maxCost: 6 };

/** The layouts of 4-bit checkpoints, which few visits meet. Throws `network`. */
const checkpointFormats = () => lazyPart(() => import('./formats/checkpoint-format'));

type CheckpointFormats = Awaited<ReturnType<typeof checkpointFormats>>;

/** Throws `unsupported-model` where config.json names a method or a setting that cannot be read. */
export async function checkQuantSettings(rawConfig: JsonObject): Promise<void> {
  if (quantConfig(rawConfig) !== null) (await checkpointFormats()).quantSettings(rawConfig);
}

/**
 * Finds the quantised linears that the specs ask for and reads the order of their groups (a few KiB each; everything else
 * is in the headers). Throws `bad-checkpoint` or `unsupported-model` naming file and tensor or key.
 */
export async function readQuantModules(
  source: ModelSource,
  rawConfig: JsonObject,
  specs: readonly WeightSpec[],
  directory: TensorDirectory,
  signal?: AbortSignal,
): Promise<QuantModules> {
  const places = modulesOf(specs).map((place) => ({ ...place, directory }));
  const none: QuantModules = { modules: new Map(), warnings: [] };
  if (quantConfig(rawConfig) === null && !places.some(hasCodes)) return none;
  const formats = await checkpointFormats();
  const settings = formats.quantSettings(rawConfig) ?? (await readSettingsFile(formats, source, signal));
  if (!settings) return none;
  const linears = places.flatMap((place) => formats.findQuantLinear({ ...place, settings }) ?? []);
  const modules = new Map<string, QuantModule>();
  const reads = prefetch(
    linears,
    READ_AHEAD,
    () => 1,
    (linear) => readOrder(source, linear, signal),
  );
  for await (const [linear, order] of reads) {
    signal?.throwIfAborted();
    const isFifteenDoubtful = linear.zerosLessOne && !settings.borrows;
    modules.set(linear.module, { ...linear, order, isFifteenDoubtful });
  }
  return { modules, warnings: groupWarnings(formats, linears, settings) };
}

/**
 * Of `names`, the biases of quantised modules that hold nothing but zeros: GPTQ writers add one to every linear, whether
 * the model has it or not.
 */
export async function zeroBiases(
  source: ModelSource,
  directory: TensorDirectory,
  modules: QuantModules['modules'],
  names: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlySet<string>> {
  const entries = names.flatMap((name) => {
    const entry = directory.tensors.get(name);
    return entry && name.endsWith('.bias') && modules.has(name.slice(0, -'.bias'.length)) ? [entry] : [];
  });
  const zeros = new Set<string>();
  const reads = prefetch(
    entries,
    READ_AHEAD,
    () => 1,
    (entry) => readTensor(source, entry, signal),
  );
  // the sign of a zero may be set
  for await (const [entry, bytes] of reads)
    if (bytes.every((byte) => (byte & 0x7f) === 0)) zeros.add(entry.name);
  return zeros;
}

function modulesOf(
  specs: readonly WeightSpec[],
): readonly { readonly module: string; readonly cols: number }[] {
  const found = new Map<string, number>();
  for (const spec of specs)
    if (spec.kind === 'linear') for (const { module } of spec.parts) found.set(module, spec.cols);
  return [...found].map(([module, cols]) => ({ module, cols }));
}

async function readSettingsFile(
  { SETTINGS_FILES }: CheckpointFormats,
  source: ModelSource,
  signal?: AbortSignal,
): Promise<QuantSettings | null> {
  for (const { file, read } of SETTINGS_FILES) {
    const text = await source.tryReadText(file, signal);
    if (text !== null) return read(file, parseJsonObject(file, text));
  }
  return null;
}

async function readOrder(
  source: ModelSource,
  linear: QuantLinear,
  signal: AbortSignal | undefined,
): Promise<GroupOrder | null> {
  if (!linear.groupIndex) return null;
  return groupOrder(linear, await readTensor(source, linear.groupIndex, signal));
}

function readTensor(source: ModelSource, { file, begin, end }: TensorEntry, signal: AbortSignal | undefined) {
  return source.readRange(file, begin, end, signal);
}

function groupWarnings(
  { contradictsSettings }: CheckpointFormats,
  linears: readonly QuantLinear[],
  settings: QuantSettings,
): readonly string[] {
  const wrong = linears.filter((linear) => contradictsSettings(linear, settings));
  const [first] = wrong;
  if (!first) return [];
  const said = settings.of(first.module).groupSize;
  const more = wrong.length > 1 ? `, and ${wrong.length - 1} more` : '';
  return [
    `${settings.file} names groups of ${said || 'all'} columns, but the scales show groups of ${first.groupSize} (${first.module}${more}); the scales decide.`,
  ];
}

import { TabmindError } from '../errors';
import { type JsonObject, parseJsonObject } from '../models/config';
import { objectOf } from './formats/quant-settings';
import { badFile, readSafetensors, type SafetensorsFile, type TensorEntry } from './safetensors';
import type { ModelSource } from './source';

/** All tensors of a checkpoint, checked, without their data. */
export interface TensorDirectory {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly files: readonly Omit<SafetensorsFile, 'tensors'>[];
}

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** Older exports of GPTQ keep their settings apart. */
const GPTQ_SETTINGS = 'quantize_config.json';
/** What lies beside a model and is none: adapters, and a second copy in another naming. */
const NO_MODEL = /^(adapter_model|consolidated|.*lora)/i;

/**
 * Finds and reads the headers: `model.safetensors`, else the shards of the index, else what the listing or the
 * quantisation settings name: an index, a set of shards without one, a single file. Throws `not-found` or
 * `bad-checkpoint`.
 */
export async function openTensorDirectory(
  source: ModelSource,
  rawConfig: JsonObject,
  signal?: AbortSignal,
): Promise<TensorDirectory> {
  const single = await openSingle(source, SINGLE, signal);
  if (single) return single;
  const index = await source.tryReadText(INDEX, signal);
  if (index !== null) return openShards(source, INDEX, index, signal);
  const other = source.list
    ? await openListed(source, await source.list(signal), signal)
    : await openNamed(source, rawConfig, signal);
  if (other) return other;
  throw await noWeights(source, signal);
}

async function openSingle(
  source: ModelSource,
  file: string,
  signal: AbortSignal | undefined,
): Promise<TensorDirectory | null> {
  const sizeBytes = await source.size(file, signal);
  if (sizeBytes === null) return null;
  const { tensors, ...rest } = await readSafetensors(source, file, sizeBytes, signal);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), files: [rest] };
}

async function openShards(
  source: ModelSource,
  indexFile: string,
  indexText: string,
  signal: AbortSignal | undefined,
): Promise<TensorDirectory> {
  const weightMap = readWeightMap(indexFile, indexText);
  const names = [...new Set(weightMap.values())].sort();
  const shards = await Promise.all(names.map((file) => openShard(source, indexFile, file, signal)));
  const tensors = new Map<string, TensorEntry>();
  const byShard = new Map(
    shards.map((shard) => [shard.file, new Map(shard.tensors.map((t) => [t.name, t]))]),
  );
  for (const [name, file] of weightMap) {
    const tensor = byShard.get(file)?.get(name);
    if (!tensor) throw badFile(indexFile, `says that ${name} is in ${file}, but it is not`);
    tensors.set(name, tensor);
  }
  return { tensors, files: shards.map(({ tensors: _, ...rest }) => rest) };
}

async function openShard(
  source: ModelSource,
  indexFile: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<SafetensorsFile> {
  const sizeBytes = await source.size(file, signal);
  if (sizeBytes !== null) return readSafetensors(source, file, sizeBytes, signal);
  throw missingPart(`${source.id}: ${file} is missing, although ${indexFile} names it.`, file);
}

/** Tensor name → file. Only plain names inside the folder are let through: an index must not send us elsewhere. */
function readWeightMap(indexFile: string, indexText: string): ReadonlyMap<string, string> {
  const raw = parseJsonObject(indexFile, indexText).weight_map;
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw badFile(indexFile, 'has no weight_map');
  const map = new Map<string, string>();
  for (const [name, file] of Object.entries(raw)) {
    if (typeof file !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(file))
      throw badFile(
        indexFile,
        `weight_map sends ${name} to ${JSON.stringify(file)}, which is not a file of this folder`,
      );
    map.set(name, file);
  }
  if (map.size === 0) throw badFile(indexFile, 'has an empty weight_map');
  return map;
}

/** In a folder whose files are known, whatever they are called. */
async function openListed(
  source: ModelSource,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<TensorDirectory | null> {
  const sorted = names.filter((name) => !NO_MODEL.test(name)).sort();
  const indexFile = sorted.find((name) => name.endsWith('.safetensors.index.json'));
  const index = indexFile === undefined ? null : await source.tryReadText(indexFile, signal);
  if (indexFile !== undefined && index !== null) return openShards(source, indexFile, index, signal);
  const [first, ...rest] = sorted.filter((name) => name.endsWith('.safetensors'));
  if (first === undefined) return null;
  const [, stem, total] = /^(.*)-\d+-of-(\d+)\.safetensors$/.exec(first) ?? [];
  if (stem === undefined) return openSingle(source, first, signal);
  const set = [first, ...rest].filter(
    (name) => name.startsWith(`${stem}-`) && name.includes(`-of-${total}.`),
  );
  if (set.length !== Number(total))
    throw missingPart(`${source.id}: of the files beside ${first}, only ${set.length} are there.`, first);
  const shards = await Promise.all(set.map((file) => openSingle(source, file, signal)));
  return joinShards(shards.filter((shard) => shard !== null));
}

/** Shards without an index: a name that two of them hold belongs to neither. */
function joinShards(shards: readonly TensorDirectory[]): TensorDirectory {
  const tensors = new Map<string, TensorEntry>();
  for (const shard of shards)
    for (const [name, tensor] of shard.tensors) {
      const other = tensors.get(name);
      if (other) throw badFile(tensor.file, `tensor ${name} is in ${other.file} too`);
      tensors.set(name, tensor);
    }
  return { tensors, files: shards.flatMap(({ files }) => files) };
}

/** AutoGPTQ names its file after the quantisation, whose settings are in config.json or in a file of their own. */
async function openNamed(
  source: ModelSource,
  rawConfig: JsonObject,
  signal: AbortSignal | undefined,
): Promise<TensorDirectory | null> {
  const inConfig = objectOf(rawConfig.quantization_config);
  const text = inConfig ? null : await source.tryReadText(GPTQ_SETTINGS, signal);
  const settings = inConfig ?? (text && parseJsonObject(GPTQ_SETTINGS, text));
  if (!settings) return null;
  const { bits, group_size: group, model_file_base_name: base } = settings;
  const named = typeof base === 'string' && /^[\w-][\w.-]*$/.test(base) ? [base] : [];
  for (const stem of [...named, `gptq_model-${bits}bit-${group}g`, `gptq_model-${bits}bit`]) {
    const index = await source.tryReadText(`${stem}.safetensors.index.json`, signal);
    if (index !== null) return openShards(source, `${stem}.safetensors.index.json`, index, signal);
    const single = await openSingle(source, `${stem}.safetensors`, signal);
    if (single) return single;
  }
  return null;
}

function missingPart(message: string, file: string): TabmindError {
  return new TabmindError('not-found', message, {
    meaning: 'A part of the weights is not there.',
    remedy: 'Download the checkpoint again, completely.',
    details: { file },
  });
}

/** Weights in a form that is not read, by the names that they go by, and what that form is. */
const OTHER_FORMS: readonly { readonly name: RegExp; readonly what: string; readonly remedy: string }[] = [
  {
    name: /^pytorch_model.*\.bin(\.index\.json)?$|\.pth?$/,
    what: 'a Python pickle',
    remedy: 'Save the model with safe_serialization=True, or choose a repository that has safetensors.',
  },
  { name: /\.gguf$/i, what: 'GGUF', remedy: 'Choose the repository that it was made from.' },
  { name: /\.onnx$/, what: 'ONNX', remedy: 'Choose the repository that it was made from.' },
];

async function noWeights(source: ModelSource, signal: AbortSignal | undefined): Promise<TabmindError> {
  const usual = ['pytorch_model.bin', 'pytorch_model.bin.index.json'];
  const sizes = source.list ? [] : await Promise.all(usual.map((file) => source.size(file, signal)));
  const names = (await source.list?.(signal)) ?? usual.filter((_, i) => sizes[i] !== null);
  for (const { name, what, remedy } of OTHER_FORMS) {
    const file = names.find((one) => name.test(one));
    if (file !== undefined)
      return new TabmindError(
        'not-found',
        `${source.id} has its weights only as ${file}, not as ${SINGLE}.`,
        {
          meaning: `That is ${what}, which tabmind does not read.`,
          remedy,
          details: { file: SINGLE },
        },
      );
  }
  return new TabmindError('not-found', `${source.id} has neither ${SINGLE} nor ${INDEX}.`, {
    meaning: 'There are no weights in this folder.',
    remedy: 'Check the address of the model.',
    details: { file: SINGLE },
  });
}

import { TabmindError } from '../errors';
import { type JsonObject, parseJsonObject } from '../models/config';
import { badFile, readSafetensors, type SafetensorsFile, type TensorEntry } from './safetensors';
import type { ModelSource } from './source';

/** All tensors of a checkpoint, checked, without their data. */
export interface TensorDirectory {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly files: readonly Omit<SafetensorsFile, 'tensors'>[];
}

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/**
 * Finds and reads the headers: `model.safetensors`, else the shards of the index, else whatever single file the listing
 * or the quantisation settings in config.json name. Throws `not-found` or `bad-checkpoint`.
 */
export async function openTensorDirectory(
  source: ModelSource,
  rawConfig: JsonObject,
  signal?: AbortSignal,
): Promise<TensorDirectory> {
  const single = await openSingle(source, SINGLE, signal);
  if (single) return single;
  const index = await source.tryReadText(INDEX, signal);
  if (index !== null) return openShards(source, index, signal);
  for (const file of await otherNames(source, rawConfig, signal)) {
    const other = await openSingle(source, file, signal);
    if (other) return other;
  }
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
  indexText: string,
  signal: AbortSignal | undefined,
): Promise<TensorDirectory> {
  const weightMap = readWeightMap(indexText);
  const names = [...new Set(weightMap.values())].sort();
  const shards = await Promise.all(names.map((file) => openShard(source, file, signal)));
  const tensors = new Map<string, TensorEntry>();
  const byShard = new Map(
    shards.map((shard) => [shard.file, new Map(shard.tensors.map((t) => [t.name, t]))]),
  );
  for (const [name, file] of weightMap) {
    const tensor = byShard.get(file)?.get(name);
    if (!tensor) throw badFile(INDEX, `says that ${name} is in ${file}, but it is not`);
    tensors.set(name, tensor);
  }
  return { tensors, files: shards.map(({ tensors: _, ...rest }) => rest) };
}

async function openShard(
  source: ModelSource,
  file: string,
  signal: AbortSignal | undefined,
): Promise<SafetensorsFile> {
  const sizeBytes = await source.size(file, signal);
  if (sizeBytes !== null) return readSafetensors(source, file, sizeBytes, signal);
  throw new TabmindError('not-found', `${source.id}: ${file} is missing, although ${INDEX} names it.`, {
    meaning: 'A part of the weights is not there.',
    remedy: 'Download the checkpoint again, completely.',
    details: { file },
  });
}

/** Tensor name → file. Only plain names inside the folder are let through: an index must not send us elsewhere. */
function readWeightMap(indexText: string): ReadonlyMap<string, string> {
  const raw = parseJsonObject(INDEX, indexText).weight_map;
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw badFile(INDEX, 'has no weight_map');
  const map = new Map<string, string>();
  for (const [name, file] of Object.entries(raw)) {
    if (typeof file !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(file))
      throw badFile(
        INDEX,
        `weight_map sends ${name} to ${JSON.stringify(file)}, which is not a file of this folder`,
      );
    map.set(name, file);
  }
  if (map.size === 0) throw badFile(INDEX, 'has an empty weight_map');
  return map;
}

/** AutoGPTQ names its file after the quantisation; a listing knows any name. */
async function otherNames(
  source: ModelSource,
  rawConfig: JsonObject,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (source.list) return (await source.list(signal)).filter((file) => file.endsWith('.safetensors')).sort();
  const quantization = rawConfig.quantization_config;
  if (typeof quantization !== 'object' || quantization === null) return [];
  const { bits, group_size: group } = quantization as JsonObject;
  return [`gptq_model-${bits}bit-${group}g.safetensors`, `gptq_model-${bits}bit.safetensors`];
}

async function noWeights(source: ModelSource, signal: AbortSignal | undefined): Promise<TabmindError> {
  for (const file of ['pytorch_model.bin', 'pytorch_model.bin.index.json'])
    if ((await source.size(file, signal)) !== null)
      return new TabmindError(
        'not-found',
        `${source.id} has its weights only as ${file}, not as ${SINGLE}.`,
        {
          meaning: 'That is a Python pickle, which tabmind does not read.',
          remedy: 'Save the model with safe_serialization=True, or choose a repository that has safetensors.',
          details: { file: SINGLE },
        },
      );
  return new TabmindError('not-found', `${source.id} has neither ${SINGLE} nor ${INDEX}.`, {
    meaning: 'There are no weights in this folder.',
    remedy: 'Check the address of the model.',
    details: { file: SINGLE },
  });
}

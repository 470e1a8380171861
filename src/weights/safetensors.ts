import { TabmindError } from '../errors';
import { type JsonObject, parseJsonObject } from '../models/config';
import { sha256 } from './digest';
import type { ModelSource } from './source';

/** Bits of one element, for every dtype that the format knows. */
const DTYPE_BITS = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  U16: 16,
  I16: 16,
  F16: 16,
  BF16: 16,
  U32: 32,
  I32: 32,
  F32: 32,
  U64: 64,
  I64: 64,
  F64: 64,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
} as const;

export type SafetensorsDtype = keyof typeof DTYPE_BITS;

/** A tensor of the checkpoint: bytes [begin, end) of `file`, row-major. */
export interface TensorEntry {
  readonly name: string;
  readonly file: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsFile {
  readonly file: string;
  readonly sizeBytes: number;
  /** SHA-256 of the start of the file: the header and some data, so that a retrained model has another one. */
  readonly headHash: string;
  readonly tensors: readonly TensorEntry[];
}

/** The reference reader refuses longer headers too. */
const MAX_HEADER_BYTES = 100_000_000;
const FIRST_READ_BYTES = 64 * 1024;
/** Data behind the header that goes into the hash. */
const SAMPLE_BYTES = 16 * 1024;

export function badFile(file: string, what: string, cause?: unknown): TabmindError {
  return new TabmindError('bad-checkpoint', `${file}: ${what}.`, {
    meaning: 'The file is damaged, incomplete, or not a safetensors file.',
    remedy: 'Download the checkpoint again, completely, or choose another one.',
    details: { file },
    cause,
  });
}

export function badTensor(file: string, name: string, what: string): TabmindError {
  return new TabmindError('bad-checkpoint', `${file}: tensor ${name} ${what}.`, {
    meaning: 'The weights do not belong to this config.json, or are damaged.',
    remedy: 'Download the checkpoint again, or choose another one.',
    details: { file, tensor: name },
  });
}

/** Reads and checks the header of one file of `sizeBytes`. Throws `bad-checkpoint` naming file and tensor. */
export async function readSafetensors(
  source: ModelSource,
  file: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<SafetensorsFile> {
  if (sizeBytes < 8) throw badFile(file, `has only ${sizeBytes} bytes, too few for a header`);
  let head = await source.readRange(file, 0, Math.min(sizeBytes, FIRST_READ_BYTES), signal);
  const end = 8 + headerLength(file, sizeBytes, head);
  const wanted = Math.min(sizeBytes, end + SAMPLE_BYTES);
  if (wanted > head.length) {
    const rest = await source.readRange(file, head.length, wanted, signal);
    head = new Uint8Array(await new Blob([head, rest]).arrayBuffer());
  }
  const tensors = parseHeader(file, sizeBytes - end, head.slice(8, end)).map((entry) => ({
    ...entry,
    begin: entry.begin + end,
    end: entry.end + end,
  }));
  return { file, sizeBytes, headHash: await sha256(head.slice(0, wanted)), tensors };
}

function headerLength(file: string, sizeBytes: number, head: Uint8Array<ArrayBuffer>): number {
  const start = new TextDecoder().decode(head.subarray(0, 64)).trimStart();
  if (/^<(!doctype|html)/i.test(start)) throw badFile(file, 'is a web page, not a safetensors file');
  if (start.startsWith('version https://git-lfs'))
    throw badFile(file, 'is a Git LFS pointer; the weights themselves were not downloaded (git lfs pull)');
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  if (length === 0n) throw badFile(file, 'has an empty header');
  if (length > BigInt(MAX_HEADER_BYTES)) throw badFile(file, `claims a header of ${length} bytes`);
  if (length > BigInt(sizeBytes - 8))
    throw badFile(file, `claims a header of ${length} bytes, but has only ${sizeBytes} bytes`);
  return Number(length);
}

/** Offsets of the result count from the start of the data area. */
function parseHeader(file: string, dataBytes: number, header: Uint8Array<ArrayBuffer>): TensorEntry[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
  } catch (cause) {
    throw badFile(file, 'has a header that is not valid UTF-8', cause);
  }
  const raw = parseJsonObject(`header of ${file}`, text);
  const entries = Object.entries(raw)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => parseEntry(file, name, value, dataBytes));
  checkCoverage(file, entries, dataBytes);
  return entries;
}

function parseEntry(file: string, name: string, value: unknown, dataBytes: number): TensorEntry {
  const fail = (what: string) => badFile(file, `tensor ${name} ${what}`);
  if (typeof value !== 'object' || value === null) throw fail('has no description');
  const { dtype, shape, data_offsets: offsets } = value as JsonObject;
  if (!isDtype(dtype)) throw fail(`has the unknown dtype ${JSON.stringify(dtype)}`);
  if (!isCountList(shape)) throw fail(`has the shape ${JSON.stringify(shape)}`);
  if (!isCountList(offsets) || offsets.length !== 2)
    throw fail(`has the data_offsets ${JSON.stringify(offsets)}`);
  const [begin = 0, end = 0] = offsets;
  if (begin > end) throw fail(`begins at ${begin} and ends at ${end}`);
  if (end > dataBytes) throw fail(`ends at byte ${end}, but the file holds only ${dataBytes} bytes of data`);
  const bits = shape.reduce((product, size) => product * size, DTYPE_BITS[dtype]);
  if (!Number.isSafeInteger(bits) || bits !== (end - begin) * 8)
    throw fail(`has ${end - begin} bytes, which do not fit ${dtype} of shape [${shape.join(', ')}]`);
  return { name, file, dtype, shape, begin, end };
}

/** The tensors must tile the data area: no overlap, no hole, nothing behind. A name given twice leaves a hole. */
function checkCoverage(file: string, entries: readonly TensorEntry[], dataBytes: number): void {
  const sorted = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of sorted) {
    if (begin < at)
      throw badFile(file, `tensor ${name} overlaps the tensor before it (or a name is given twice)`);
    if (begin > at)
      throw badFile(
        file,
        `the ${begin - at} bytes before tensor ${name} belong to no tensor (or a name is given twice)`,
      );
    at = end;
  }
  if (at < dataBytes)
    throw badFile(file, `the last ${dataBytes - at} bytes belong to no tensor (or a name is given twice)`);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BITS, value);
}

function isCountList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

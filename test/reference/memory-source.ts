import { TabmindError } from '../../src/errors';
import type { ModelSource } from '../../src/weights/source';

/** A checkpoint folder in memory. */
export class MemorySource implements ModelSource {
  readonly id = 'memory';
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  numReads = 0;

  async readText(path: string): Promise<string> {
    const text = await this.tryReadText(path);
    if (text === null) throw new TabmindError('not-found', `${path} does not exist`);
    return text;
  }

  async tryReadText(path: string): Promise<string | null> {
    const bytes = this.files.get(path);
    return bytes ? new TextDecoder().decode(bytes) : null;
  }

  async size(path: string): Promise<number | null> {
    return this.files.get(path)?.length ?? null;
  }

  async readRange(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    this.numReads++;
    const bytes = this.files.get(path)?.slice(start, end);
    if (bytes?.length !== end - start) throw new TabmindError('bad-checkpoint', `${path} is too short`);
    return bytes;
  }
}

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface FloatTensor extends StoredTensor {
  readonly dtype: 'F32' | 'F16' | 'BF16';
}

/** A safetensors file. */
export function safetensorsFile(tensors: Readonly<Record<string, StoredTensor>>): Uint8Array<ArrayBuffer> {
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let end = 8 + text.length;
  for (const { bytes } of Object.values(tensors)) {
    file.set(bytes, end);
    end += bytes.length;
  }
  return file;
}

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TabmindError } from '../../src/errors';
import type { ModelSource } from '../../src/weights/source';

/** A checkpoint folder on disk. Counts what is asked for. */
export class FolderSource implements ModelSource {
  readonly id: string;
  readonly requests: string[] = [];
  readonly #folder: string;
  /** Served instead of the file on disk. */
  readonly overrides = new Map<string, Uint8Array | string>();

  constructor(folder: string) {
    this.id = folder;
    this.#folder = fixturePath(folder);
  }

  async readText(path: string): Promise<string> {
    const text = await this.tryReadText(path);
    if (text === null) throw new TabmindError('not-found', `${path} does not exist`, { remedy: 'Add it.' });
    return text;
  }

  async tryReadText(path: string): Promise<string | null> {
    this.requests.push(path);
    return this.#read(path)?.toString() ?? null;
  }

  async size(path: string): Promise<number | null> {
    this.requests.push(path);
    const override = this.overrides.get(path);
    if (override !== undefined) return override.length;
    const file = join(this.#folder, path);
    return existsSync(file) ? statSync(file).size : null;
  }

  async readRange(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    this.requests.push(path);
    const bytes = this.#read(path);
    if (!bytes || end > bytes.length) throw new Error(`${path} has no bytes ${start} to ${end}`);
    return new Uint8Array(bytes.subarray(start, end));
  }

  #read(path: string): Buffer | null {
    const override = this.overrides.get(path);
    if (override !== undefined) return Buffer.from(override);
    const file = join(this.#folder, path);
    return existsSync(file) ? readFileSync(file) : null;
  }
}

/** Path of a folder under test/fixtures. */
export function fixturePath(folder: string): string {
  return fileURLToPath(new URL(`../fixtures/${folder}`, import.meta.url));
}

export function fixtureFolders(folder: string): readonly string[] {
  return readdirSync(fixturePath(folder)).sort();
}

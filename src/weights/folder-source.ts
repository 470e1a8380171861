import { TabmindError } from '../errors';
import type { FolderFile, FolderModel } from '../model-ref';
import { BufferPool } from './buffer-pool';
import { readBlob } from './byte-stream';
import { sha256 } from './digest';
import type { VersionedSource } from './versioned-source';

/** A folder on this computer. Nothing is read before the first call. */
export function createFolderSource(model: FolderModel): VersionedSource {
  const { id, files } = model;
  return new FolderSource(id, 'kind' in files ? openHandle(id, files) : openList(files));
}

/** Finds a file by its name; null when there is none. */
interface Folder {
  find(path: string): Promise<File | null>;
  names(): Promise<readonly string[]>;
}

class FolderSource implements VersionedSource {
  readonly id: string;
  readonly #folder: Folder;
  /** The same snapshot for every read, so that a change in between is noticed by the browser. */
  readonly #files = new Map<string, Promise<File | null>>();

  constructor(id: string, folder: Folder) {
    this.id = id;
    this.#folder = folder;
  }

  async readText(path: string, signal?: AbortSignal): Promise<string> {
    const text = await this.tryReadText(path, signal);
    if (text !== null) return text;
    throw this.#missing(path);
  }

  async tryReadText(path: string, signal?: AbortSignal): Promise<string | null> {
    const file = await this.#file(path, signal);
    return file && this.#read(path, () => file.text());
  }

  async size(path: string, signal?: AbortSignal): Promise<number | null> {
    return (await this.#file(path, signal))?.size ?? null;
  }

  async readRange(
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
    pool = new BufferPool(end - start, 0),
  ): Promise<Uint8Array<ArrayBuffer>> {
    const file = await this.#file(path, signal);
    if (!file || file.size < end)
      throw new TabmindError('bad-checkpoint', `${this.id}: ${path} ends before byte ${end}.`, {
        meaning: 'The file is cut off or gone.',
        remedy: 'Download the checkpoint again, completely.',
        details: { file: path },
      });
    return this.#read(path, () => readBlob(file.slice(start, end), pool));
  }

  list(): Promise<readonly string[]> {
    return this.#folder.names();
  }

  /**
   * From names, sizes and dates of the files that make a model. Throws `not-found` where there is none to tell versions by,
   * as after a reload, when a list of files is empty: then the copy in the cache is taken, not a version of nothing.
   */
  async version(signal?: AbortSignal): Promise<string | null> {
    const names = (await this.list()).filter((name) => /^config\.json$|\.safetensors$/.test(name)).sort();
    if (!names.includes('config.json')) throw this.#missing('config.json');
    const marks = names.map(async (name) => {
      const file = await this.#file(name, signal);
      return `${name} ${file?.size} ${file?.lastModified}`;
    });
    return (await sha256((await Promise.all(marks)).join('\n'))).slice(0, 16);
  }

  async #file(path: string, signal: AbortSignal | undefined): Promise<File | null> {
    signal?.throwIfAborted();
    let file = this.#files.get(path);
    if (!file) {
      file = this.#read(path, () => this.#folder.find(path));
      this.#files.set(path, file);
    }
    return file;
  }

  #missing(path: string): TabmindError {
    return new TabmindError('not-found', `${this.id}: there is no ${path} in this folder.`, {
      meaning: 'The folder is not a checkpoint in Hugging Face format, or not all of it was chosen.',
      remedy: 'Choose the folder that holds config.json, the tokenizer and the .safetensors files.',
      details: { file: path },
    });
  }

  async #read<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw unreadable(this.id, path, cause);
    }
  }
}

function openHandle(id: string, handle: FileSystemDirectoryHandle): Folder {
  return {
    find: async (path) => {
      try {
        return await (await handle.getFileHandle(path)).getFile();
      } catch (thrown) {
        if (nameOf(thrown) === 'NotFoundError' || nameOf(thrown) === 'TypeMismatchError') return null;
        throw thrown;
      }
    },
    names: async () => {
      const names: string[] = [];
      try {
        for await (const [name, entry] of handle.entries()) if (entry.kind === 'file') names.push(name);
      } catch (cause) {
        throw unreadable(id, handle.name, cause);
      }
      return names;
    },
  };
}

/** A drop or an input may hold the folder itself or its parents: the one with config.json nearest to the top counts. */
function openList(entries: readonly (File | FolderFile)[]): Folder {
  const all = entries.map((entry) =>
    'path' in entry
      ? { path: entry.path.replace(/^\/+/, ''), file: entry.file }
      : { path: entry.webkitRelativePath || entry.name, file: entry },
  );
  const depth = (path: string) => path.split('/').length;
  const [config] = all
    .filter(({ path }) => /(^|\/)config\.json$/.test(path))
    .sort((a, b) => depth(a.path) - depth(b.path));
  const prefix = config?.path.slice(0, -'config.json'.length) ?? '';
  const inside = new Map(
    all
      .filter(({ path }) => path.startsWith(prefix))
      .map(({ path, file }) => [path.slice(prefix.length), file]),
  );
  return {
    find: async (path) => inside.get(path) ?? null,
    names: async () => [...inside.keys()].filter((path) => !path.includes('/')),
  };
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error || thrown instanceof DOMException ? thrown.name : '';
}

function unreadable(id: string, path: string, cause: unknown): TabmindError {
  if (cause instanceof TabmindError) return cause;
  const locked = nameOf(cause) === 'NotAllowedError';
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TabmindError('not-found', `${id}: ${path} cannot be read: ${reason}`, {
    meaning: locked
      ? 'The browser no longer lets this page read the folder.'
      : 'The file was changed, moved or removed since the folder was chosen.',
    remedy: 'Choose the folder again.',
    details: { file: path },
    cause,
  });
}

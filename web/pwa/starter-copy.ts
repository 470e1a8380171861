/** Files of a model below the page's own address. `revision` changes with any byte of them. */
export interface StarterFiles {
  readonly folder: string;
  readonly names: readonly string[];
  readonly revision: string;
}

const PREFIX = 'tabmind-starter-';

/**
 * The starter model as it was downloaded, for pages that have not converted it. Converted weights lie in IndexedDB, and then
 * this copy is dropped: nothing is stored twice.
 */
export class StarterCopy {
  readonly #files: StarterFiles;
  readonly #scope: string;
  readonly #caches: CacheStorage;

  constructor(files: StarterFiles, scope: string, storage: CacheStorage) {
    this.#files = files;
    this.#scope = scope;
    this.#caches = storage;
  }

  holds(url: URL): boolean {
    return this.#urls().includes(url.href);
  }

  /** Fetches what is missing. Throws where the network fails or a file is not there; a later call goes on. */
  async keep(): Promise<void> {
    const cache = await this.#caches.open(this.#name());
    for (const url of this.#urls()) if ((await cache.match(url)) === undefined) await cache.add(url);
    await this.#dropAll(this.#name());
  }

  async drop(): Promise<void> {
    await this.#dropAll();
  }

  /** The kept file, or the part of it that is asked for; undefined where there is none. */
  async answer(request: Request): Promise<Response | undefined> {
    if (!(await this.#caches.has(this.#name()))) return undefined;
    const cache = await this.#caches.open(this.#name());
    const whole = await cache.match(request.url);
    if (whole === undefined) return undefined;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('Range') ?? '');
    return range === null ? whole : part(await whole.blob(), Number(range[1]), range[2] ?? '');
  }

  #name(): string {
    return PREFIX + this.#files.revision;
  }

  #urls(): readonly string[] {
    const folder = new URL(this.#files.folder, this.#scope);
    return this.#files.names.map((name) => new URL(name, folder).href);
  }

  async #dropAll(kept?: string): Promise<void> {
    const names = (await this.#caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== kept);
    await Promise.all(names.map((name) => this.#caches.delete(name)));
  }
}

function part(file: Blob, start: number, lastText: string): Response {
  if (start >= file.size)
    return new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${file.size}` } });
  const last = lastText === '' ? file.size - 1 : Math.min(Number(lastText), file.size - 1);
  return new Response(file.slice(start, last + 1), {
    status: 206,
    headers: {
      'Content-Range': `bytes ${start}-${last}/${file.size}`,
      'Content-Length': `${last + 1 - start}`,
    },
  });
}

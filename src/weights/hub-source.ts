import type { TabmindError } from '../errors';
import type { BufferPool } from './buffer-pool';
import { sha256 } from './digest';
import type { HubListing, Repository } from './hosts';
import { gated, noRepository, noRevision, notFound, refused } from './http-errors';
import { type Answer, HttpClient } from './http-request';
import { createHttpSource, type HttpSourceOptions } from './http-source';
import type { VersionedSource } from './versioned-source';

export interface HubSourceOptions extends HttpSourceOptions {
  /** Access token, sent to the host of the repository only: fetch drops it where the host redirects elsewhere. */
  readonly token?: string | undefined;
}

/**
 * A repository of a model hub. Its listing is asked for once; then all files are read at that commit, so that a push in
 * the middle of a load cannot mix two versions. Hosts without a listing are read at the revision itself.
 */
export function createHubSource(repository: Repository, options: HubSourceOptions = {}): VersionedSource {
  return new HubSource(repository, options);
}

interface Opened {
  /** null: the host has no listing. */
  readonly listing: HubListing | null;
  readonly files: VersionedSource;
}

class HubSource implements VersionedSource {
  readonly id: string;
  readonly #repository: Repository;
  readonly #options: HubSourceOptions;
  #opened: Opened | null = null;

  constructor(repository: Repository, options: HubSourceOptions) {
    const { name, revision, host } = repository;
    this.id = revision === host.defaultRevision ? name : `${name}@${revision}`;
    this.#repository = repository;
    const { token, ...rest } = options;
    this.#options = {
      ...rest,
      ...(token ? { token, headers: { ...rest.headers, Authorization: `Bearer ${token}` } } : {}),
      refuse: (url, status) => this.#refused(url, status),
    };
  }

  async readText(path: string, signal?: AbortSignal): Promise<string> {
    const { files, listing } = await this.#open(signal);
    if (isAbsent(listing, path))
      throw notFound(`${this.#repository.host.pageUrl(this.#repository.name)}: ${path}`);
    return files.readText(path, signal);
  }

  async tryReadText(path: string, signal?: AbortSignal): Promise<string | null> {
    const { files, listing } = await this.#open(signal);
    return isAbsent(listing, path) ? null : files.tryReadText(path, signal);
  }

  async size(path: string, signal?: AbortSignal): Promise<number | null> {
    const { files, listing } = await this.#open(signal);
    return isAbsent(listing, path) ? null : files.size(path, signal);
  }

  async readRange(
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
    pool?: BufferPool,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { files } = await this.#open(signal);
    return files.readRange(path, start, end, signal, pool);
  }

  /** Names of the files in the top folder; empty where the host has no listing. */
  async list(signal?: AbortSignal): Promise<readonly string[]> {
    const { listing } = await this.#open(signal);
    return (listing?.files ?? []).filter((path) => !path.includes('/'));
  }

  async version(signal?: AbortSignal): Promise<string | null> {
    const { revision } = this.#repository;
    if (isCommit(revision)) return revision;
    const impatient = { ...this.#options, maxTries: 1, stallMs: 5000 };
    this.#opened ??= await this.#ask(new HttpClient(impatient), signal);
    const { listing, files } = this.#opened;
    if (!listing?.version) return files.version(signal);
    return listing.isCommit ? listing.version : (await sha256(listing.version)).slice(0, 16);
  }

  async #open(signal: AbortSignal | undefined): Promise<Opened> {
    this.#opened ??= await this.#ask(new HttpClient(this.#options), signal);
    return this.#opened;
  }

  async #ask(client: HttpClient, signal: AbortSignal | undefined): Promise<Opened> {
    const { host, name, revision } = this.#repository;
    const listing = await client.request({
      url: host.listingUrl(name, revision),
      init: () => ({ headers: { Accept: 'application/json' }, cache: 'no-cache' }),
      signal,
      consume: (answer) => this.#readListing(answer),
    });
    const at = listing?.isCommit ? listing.version : revision;
    return { listing, files: createHttpSource(this.id, host.folderUrl(name, at), this.#options) };
  }

  /** null where the host does not speak this API: then the files themselves show what is there. */
  async #readListing(answer: Answer): Promise<HubListing | null> {
    const { host, name, revision } = this.#repository;
    const { response, url } = answer;
    const code = response.headers.get('X-Error-Code');
    if (code === 'RepoNotFound') throw await answer.discard(noRepository(name, host.pageUrl(name)));
    if (code === 'RevisionNotFound') throw await answer.discard(noRevision(name, revision));
    if (response.status === 401 || response.status === 403)
      throw await answer.discard(this.#refused(url, response.status));
    if (!response.ok) return answer.discard(null);
    return host.readListing(parseJson(await answer.text()));
  }

  #refused(url: string, status: number): TabmindError {
    const { host, name } = this.#repository;
    if (status !== 401 && status !== 403) return refused(url, status);
    return gated(name, host.pageUrl(name), status, this.#options.token !== undefined);
  }
}

function isAbsent(listing: HubListing | null, path: string): boolean {
  return listing !== null && !listing.files.includes(path);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** null for what is no JSON, such as the start page that some servers send for every unknown address. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

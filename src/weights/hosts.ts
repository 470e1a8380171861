import { TabmindError } from '../errors';
import type { HubModel, HubPreset } from '../model-ref';

/** A server of model repositories, and where things lie on it. All URLs are absolute. */
export interface HubHost {
  readonly origin: string;
  /** Branch that stands for "the newest". */
  readonly defaultRevision: string;
  /** The folder of files, with a slash at its end. */
  folderUrl(repository: string, revision: string): string;
  /** Where the commit and the names of the files can be asked for. */
  listingUrl(repository: string, revision: string): string;
  /** What the listing says; null when it is no listing of this kind. */
  readListing(answer: unknown): HubListing | null;
  /** The page for people: there a gated model's terms are accepted. */
  pageUrl(repository: string): string;
}

export interface HubListing {
  /** Changes with every change of the repository. '' where the listing does not say. */
  readonly version: string;
  /** The version is a commit, and files can be read at it. */
  readonly isCommit: boolean;
  readonly files: readonly string[];
}

/** A repository with everything that a HubModel may leave out. */
export interface Repository {
  readonly host: HubHost;
  /** owner/name */
  readonly name: string;
  /** What the reference asks for. */
  readonly revision: string;
}

const PRESETS: Readonly<Record<HubPreset, HubHost>> = {
  huggingface: huggingFaceLike('https://huggingface.co'),
  'hf-mirror': huggingFaceLike('https://hf-mirror.com'),
  modelscope: modelScopeLike('https://modelscope.cn'),
};

const PRESET_OF_HOSTNAME: ReadonlyMap<string, HubPreset> = new Map([
  ['huggingface.co', 'huggingface'],
  ['hf.co', 'huggingface'],
  ['hf-mirror.com', 'hf-mirror'],
  ['modelscope.cn', 'modelscope'],
  ['www.modelscope.cn', 'modelscope'],
]);

const REPOSITORY = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/;

/** Throws `bad-request` when the id is no repository name or the host is neither a preset nor a URL. */
export function repositoryOf(model: HubModel): Repository {
  const [, name, revision] = REPOSITORY.exec(model.id) ?? [];
  if (name === undefined || /(^|\/)\.{1,2}(\/|$)/.test(model.id))
    throw new TabmindError('bad-request', `"${model.id}" is not the name of a repository.`, {
      remedy: 'Write it as owner/name, or owner/name@revision.',
      details: { id: model.id },
    });
  const host = hostOf(model.host ?? 'huggingface');
  return { host, name, revision: model.revision ?? revision ?? host.defaultRevision };
}

function hostOf(host: string): HubHost {
  if (Object.hasOwn(PRESETS, host)) return PRESETS[host as HubPreset];
  const url = URL.canParse(host) ? new URL(host) : null;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new TabmindError('bad-request', `"${host}" is neither a known hub nor the address of one.`, {
      remedy: `Choose ${Object.keys(PRESETS).join(', ')}, or give a base URL such as https://hub.example.org.`,
      details: { host },
    });
  const preset = PRESET_OF_HOSTNAME.get(url.hostname);
  return preset ? PRESETS[preset] : huggingFaceLike(url.href.replace(/\/+$/, ''));
}

/** The repository that a page or folder URL of a known hub belongs to, whatever tab or file of it; null for other URLs. */
export function repositoryAt(address: string): Repository | null {
  const url = URL.canParse(address) ? new URL(address) : null;
  const preset = url && PRESET_OF_HOSTNAME.get(url.hostname);
  if (!preset) return null;
  const parts = url.pathname.split('/').filter(Boolean);
  if (preset === 'modelscope' && parts.shift() !== 'models') return null;
  const [owner, name, verb, revision] = parts;
  if (owner === undefined || name === undefined || ['datasets', 'spaces', 'api'].includes(owner)) return null;
  const isPinned = verb === 'resolve' || verb === 'tree' || verb === 'blob';
  const pinned = isPinned && revision !== undefined ? { revision: decodeURIComponent(revision) } : {};
  return repositoryOf({ kind: 'hub', id: `${owner}/${name}`, host: preset, ...pinned });
}

/** huggingface.co, its mirrors, and servers that copy its API. */
function huggingFaceLike(base: string): HubHost {
  return {
    origin: new URL(base).origin,
    defaultRevision: 'main',
    folderUrl: (name, revision) => `${base}/${name}/resolve/${encodeURIComponent(revision)}/`,
    listingUrl: (name, revision) => `${base}/api/models/${name}/revision/${encodeURIComponent(revision)}`,
    readListing: readHuggingFace,
    pageUrl: (name) => `${base}/${name}`,
  };
}

function modelScopeLike(base: string): HubHost {
  return {
    origin: new URL(base).origin,
    defaultRevision: 'master',
    folderUrl: (name, revision) => `${base}/models/${name}/resolve/${encodeURIComponent(revision)}/`,
    listingUrl: (name, revision) =>
      `${base}/api/v1/models/${name}/repo/files?Revision=${encodeURIComponent(revision)}&Recursive=true`,
    readListing: readModelScope,
    pageUrl: (name) => `${base}/models/${name}`,
  };
}

/** `{ sha, siblings: [{ rfilename }] }` */
function readHuggingFace(answer: unknown): HubListing | null {
  const { sha, siblings } = fieldsOf(answer);
  if (!Array.isArray(siblings)) return null;
  const files = siblings.flatMap((sibling) => {
    const { rfilename } = fieldsOf(sibling);
    return typeof rfilename === 'string' ? [rfilename] : [];
  });
  const isCommit = typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha);
  return { version: isCommit ? sha : '', isCommit, files };
}

/** `{ Data: { Files: [{ Path, Type, Sha256, Revision }] } }`: there is no commit of the whole, only one for each file. */
function readModelScope(answer: unknown): HubListing | null {
  const { Files: entries } = fieldsOf(fieldsOf(answer).Data);
  if (!Array.isArray(entries)) return null;
  const blobs = entries.map(fieldsOf).filter(({ Type: type, Path: path }) => {
    return type !== 'tree' && typeof path === 'string';
  });
  const marks = blobs.map(({ Path: path, Sha256: hash, Revision: commit }) => `${path} ${hash ?? commit}`);
  const files = blobs.map(({ Path: path }) => String(path));
  return { version: marks.sort().join('\n'), isCommit: false, files };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

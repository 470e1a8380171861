import type { ModelRef } from '../../src/index';

/** Hosts laid out like Hugging Face: /owner/name is a page, /owner/name/resolve/REVISION/ is the folder of files. */
const HUB_HOSTS: ReadonlySet<string> = new Set(['huggingface.co', 'hf.co', 'hf-mirror.com']);

const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;

/**
 * What a person pastes into the address field, as a checkpoint folder: a repository page (any tab or file of it),
 * "owner/name", or the URL of a plain folder. Null when it is none of these.
 */
export function modelFromAddress(address: string): ModelRef | null {
  const trimmed = address.trim();
  const text = REPOSITORY.test(trimmed) ? `https://huggingface.co/${trimmed}` : trimmed;
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
  return HUB_HOSTS.has(url.hostname) ? fromHub(url) : fromFolder(url);
}

function fromHub(url: URL): ModelRef | null {
  const [owner, name, verb, revision] = url.pathname.split('/').filter(Boolean);
  if (owner === undefined || name === undefined) return null;
  const pinned = revision !== undefined && (verb === 'tree' || verb === 'resolve' || verb === 'blob');
  const chosen = pinned ? revision : 'main';
  const folder = `${url.origin}/${owner}/${name}/resolve/${chosen}/`;
  return { id: `${owner}/${name}`, url: folder, ...(chosen === 'main' ? {} : { revision: chosen }) };
}

function fromFolder(url: URL): ModelRef {
  const path = url.pathname.replace(/\/config\.json$/, '/').replace(/\/*$/, '/');
  return { id: `${url.host}${path}`.replace(/\/$/, ''), url: `${url.origin}${path}` };
}

import { signal } from '@preact/signals';
import { repositoryAt, repositoryOf, TabmindError } from '../../src/index';
import { hub } from './hub';
import { hubAt } from './hub-name';
import { DEFAULT_WEIGHT_BITS, type PageModel } from './models';

/** What is typed in the address field; it outlives the menu. */
export const address = signal('');

const NEW = { weightBits: DEFAULT_WEIGHT_BITS, isComplete: false } as const;

/**
 * What a person pastes into the address field: `owner/name` or `owner/name@revision` on the chosen hub, a page of a hub
 * (any tab or file of it), or the URL of a plain folder. Null when it is none of these.
 */
export function modelFromAddress(text: string): PageModel | null {
  const trimmed = text.trim();
  const url = /^https?:\/\//i.test(trimmed) ? trimmed : null;
  const known = repositoryAt(url ?? `https://${trimmed}`);
  if (known !== null) {
    const { host, name, revision } = known;
    return named(revision === host.defaultRevision ? name : `${name}@${revision}`, hubAt(host.origin));
  }
  if (url === null) return named(trimmed, hub.value);
  const ownPrefix = `${hub.value}/`;
  const below = url.startsWith(ownPrefix) ? named(url.slice(ownPrefix.length), hub.value) : null;
  return below ?? folderAt(url);
}

function named(id: string, host: string | null): PageModel | null {
  if (host === null) return null;
  try {
    const { name, revision, host: found } = repositoryOf({ kind: 'hub', id, host });
    const pinned = revision === found.defaultRevision ? {} : { revision };
    return { ...NEW, kind: 'hub', id: name, host, ...pinned };
  } catch (thrown) {
    if (thrown instanceof TabmindError && thrown.code === 'bad-request') return null;
    throw thrown;
  }
}

function folderAt(text: string): PageModel | null {
  if (!URL.canParse(text)) return null;
  const { origin, host, pathname } = new URL(text);
  const path = pathname.replace(/\/config\.json$/, '/').replace(/\/*$/, '/');
  return { ...NEW, kind: 'url', id: `${host}${path}`.replace(/\/$/, ''), url: `${origin}${path}` };
}

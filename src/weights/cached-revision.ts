import { TabmindError } from '../errors';
import type { CachedModel } from '../model-ref';
import type { OpenedModel } from './model-source';
import type { WeightIdentity } from './weight-identity';
import type { WeightStore } from './weight-store';

/**
 * The revision that the cache keeps this model under: what was asked for, and which version of it the source has now
 * (`main@<commit>`). So a branch that has moved on is loaded anew. Where the source cannot be asked (offline, hub down,
 * token expired), a complete model that was loaded from the same branch before will do; without one the failure is thrown.
 */
export async function cachedRevision(
  { source, id, revision, isPinned }: OpenedModel,
  store: WeightStore | null,
  identity: Omit<WeightIdentity, 'id' | 'revision'>,
  signal?: AbortSignal,
): Promise<string> {
  if (isPinned) return revision;
  try {
    const version = await source.version(signal);
    return version === null || version === revision ? revision : joined(revision, version);
  } catch (thrown) {
    signal?.throwIfAborted();
    if (!store || !(thrown instanceof TabmindError)) throw thrown;
    const stored = (await store.list()).filter((model) => model.complete && isOf(model, id, revision));
    for (const candidate of stored)
      if (await store.findManifest({ ...identity, id, revision: candidate.revision }))
        return candidate.revision;
    throw thrown;
  }
}

/** Removes what earlier versions of the same branch have left in the cache. */
export async function deleteOldVersions(
  { id, revision }: OpenedModel,
  store: WeightStore,
  keptRevision: string,
): Promise<void> {
  const old = (await store.list()).filter(
    (model) => isOf(model, id, revision) && model.revision !== keptRevision,
  );
  for (const { key } of old) await store.delete(key);
}

function joined(revision: string, version: string): string {
  return `${revision}@${version}`;
}

function isOf(model: CachedModel, id: string, revision: string): boolean {
  return model.id === id && (model.revision === revision || model.revision.startsWith(joined(revision, '')));
}

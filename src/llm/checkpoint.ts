import type { LoadOptions, ModelRef } from '../model-ref';
import { cachedRevision, deleteOldVersions } from '../weights/cached-revision';
import { gatedSource, type LoadGate } from '../weights/load-gate';
import { openModel } from '../weights/model-source';
import { readModelTexts } from '../weights/model-texts';
import type { ModelSource, ModelTexts } from '../weights/source';
import { type WeightIdentity, weightIdentity } from '../weights/weight-identity';
import { WeightStore } from '../weights/weight-store';

/** A checkpoint whose small files are read, before anything is done with its weights. */
export interface Checkpoint {
  readonly source: ModelSource;
  /** null: without cache. */
  readonly store: WeightStore | null;
  readonly identity: WeightIdentity;
  readonly texts: ModelTexts;
  /** null: the weights are read; else they are drawn. */
  readonly randomSeed: number | null;
  /** Once the model is in the cache. */
  deleteOldVersions(): Promise<void>;
}

/**
 * Asks the source for its version, and reads the texts from the cache where it holds that version. Throws TabmindError
 * (network, not-found, bad-request) or the signal's reason.
 */
export async function openCheckpoint(
  model: ModelRef,
  options: LoadOptions,
  signal: AbortSignal | undefined,
  gate: LoadGate,
): Promise<Checkpoint> {
  const opened = openModel(model, { token: options.token });
  const randomSeed = model.kind === 'random' ? (model.seed ?? 0) : null;
  const store = options.cache === false || randomSeed !== null ? null : new WeightStore();
  const asked = weightIdentity({ id: opened.id, url: '', revision: opened.revision }, options);
  await gate.pass(signal);
  const identity = { ...asked, revision: await cachedRevision(opened, store, asked, signal) };
  const source = gatedSource(opened.source, gate);
  const texts = await readModelTexts(source, store, identity, signal);
  return {
    source,
    store,
    identity,
    texts,
    randomSeed,
    deleteOldVersions: async () => {
      if (store) await deleteOldVersions(opened, store, identity.revision);
    },
  };
}

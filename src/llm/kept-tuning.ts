import type { Gpu } from '../gpu/device';
import type { ResidentTile } from '../model-ref';
import type { WeightIdentity } from '../weights/weight-identity';
import type { WeightStore } from '../weights/weight-store';

/** To be raised whenever another choice may be right for the same card: kernels of a decode step, or what is tried out. */
const KERNELS_VERSION = 2;

/** What was found out about a model on a graphics card. */
export interface Tuning {
  /** How the dispatch of all layers is cut; null: each kernel has one of its own. */
  readonly tile: ResidentTile | null;
}

/** All that the choice depends on beside the model, in one string. */
export function tuningKey(
  { info, math, subgroupSize, immediates }: Pick<Gpu, 'info' | 'math' | 'subgroupSize' | 'immediates'>,
  kvBits: number,
): string {
  const { vendor, architecture, description, features } = info;
  return JSON.stringify([
    KERNELS_VERSION,
    ...[vendor, architecture, description, [...features].sort()],
    ...[math, subgroupSize, immediates, kvBits],
  ]);
}

/**
 * A model's tuning in the cache, beside its weights and gone with them. What the storage refuses, or what is not as it was
 * written, costs the next load a measurement and no more: it is reported, and counts as not there.
 */
export class KeptTuning {
  readonly #store: WeightStore;
  readonly #identity: WeightIdentity;
  readonly #key: string;
  /** Of the model in the store; null until it was read, and where the model is not in the cache. */
  #modelKey: string | null = null;

  /** `key`: of tuningKey. */
  constructor(store: WeightStore, identity: WeightIdentity, key: string) {
    this.#store = store;
    this.#identity = identity;
    this.#key = key;
  }

  /** null where nothing is known for this key; what was known for another one is removed. Comes before the others. */
  read(): Promise<Tuning | null> {
    return reported(async () => {
      const manifest = await this.#store.findManifest(this.#identity);
      this.#modelKey = manifest?.key ?? null;
      if (this.#modelKey === null) return null;
      const stored = await this.#store.readTuning(this.#modelKey);
      const tuning = parsed(stored, this.#key);
      if (tuning === null && stored !== null) await this.#store.deleteTuning(this.#modelKey);
      return tuning;
    });
  }

  async write({ tile }: Tuning): Promise<void> {
    const modelKey = this.#modelKey;
    if (modelKey === null) return;
    await reported(() => this.#store.writeTuning(modelKey, { key: this.#key, tile }));
  }

  async forget(): Promise<void> {
    const modelKey = this.#modelKey;
    if (modelKey === null) return;
    await reported(() => this.#store.deleteTuning(modelKey));
  }
}

async function reported<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (thrown) {
    console.warn('What was found out about this model is not kept.', thrown);
    return null;
  }
}

/** null unless it was written under that key, and whole. */
function parsed(stored: unknown, key: string): Tuning | null {
  if (!isRecord(stored) || stored.key !== key) return null;
  const { tile } = stored;
  if (tile === null) return { tile };
  if (!isRecord(tile)) return null;
  const { workgroups, threads, depth } = tile;
  if (!isCount(workgroups) || !isCount(threads) || !isCount(depth)) return null;
  return { tile: { workgroups, threads, depth } };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

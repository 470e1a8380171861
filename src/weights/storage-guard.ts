import { type ErrorWords, TabmindError } from '../errors';

/** What a failure of the storage means for what is kept there. */
export interface StorageWords {
  readonly quota: { readonly message: string } & ErrorWords;
  readonly storage: ErrorWords;
}

/** Runs work on IndexedDB. Throws `quota` when the browser has no room left, and `storage` for any other failure. */
export async function guardStorage<T>(work: () => Promise<T>, words: StorageWords): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const isQuota =
      typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'QuotaExceededError';
    if (isQuota) throw new TabmindError('quota', words.quota.message, { ...words.quota, cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TabmindError('storage', `The browser storage failed: ${reason}`, { ...words.storage, cause });
  }
}

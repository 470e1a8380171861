import { promisifyRequest } from 'idb-keyval';

/**
 * Names the wipe that all records of a store came after; '' before the first. It lies beside the records, so that a write
 * can compare it in its own transaction: a tab that has not heard of a wipe brings nothing back. A name and not a number,
 * because a page of an earlier version empties the store without counting on.
 */
export type Generation = string;

/** Sorts before texts and lists, which are the keys of records. */
const MARK = 0;

/** All records of a store, without the mark. */
export const allRecords = (): IDBKeyRange => IDBKeyRange.lowerBound(MARK, true);

export async function generationOf(store: IDBObjectStore): Promise<Generation> {
  const mark: unknown = await promisifyRequest(store.get(MARK));
  return typeof mark === 'string' ? mark : '';
}

/** Empties a store; all that is written from now on is of `generation`. */
export function beginGeneration(store: IDBObjectStore, generation: Generation): Promise<void> {
  store.clear();
  store.put(generation, MARK);
  return promisifyRequest(store.transaction);
}

/** Everything was deleted after what was to be written had been read or said. */
export class WipedError extends Error {
  override readonly name = 'WipedError';

  constructor() {
    super('all chats were deleted meanwhile');
  }
}

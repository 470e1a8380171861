import { type HeadRecord, readHead } from '../storage/conversation-record';
import type { ConversationStore } from '../storage/conversation-store';
import {
  fieldsOf,
  localRecordKeys,
  readLocalRecord,
  removeLocalRecord,
  writeLocalRecord,
} from '../storage/local-record';
import type { HeadPatch } from './heads';

/**
 * Changes of heads on their way into the database, which cannot be waited for when a page goes: localStorage has them at once,
 * and the next visit finishes what this one could not. Every page has a record of its own, so that tabs do not overwrite each
 * other's.
 */
const PREFIX = 'unfinished';
const KEY = `${PREFIX}.${crypto.randomUUID()}`;

const underWay = new Map<string, HeadPatch[]>();

function keep(): void {
  if (underWay.size === 0) {
    removeLocalRecord(KEY);
    return;
  }
  const entries = [...underWay].map(([id, patches]) => [id, Object.assign({}, ...patches)] as const);
  writeLocalRecord(KEY, Object.fromEntries(entries));
}

/** Returns what is to be called when the change is in the database, or was refused and shown. */
export function noteChange(id: string, patch: HeadPatch): () => void {
  underWay.set(id, [...(underWay.get(id) ?? []), patch]);
  keep();
  return () => {
    const left = (underWay.get(id) ?? []).filter((each) => each !== patch);
    if (left.length > 0) underWay.set(id, left);
    else underWay.delete(id);
    keep();
  };
}

/** Makes the changes that earlier pages left unfinished, where they still make sense. Rejects with the storage's error. */
export async function finishChanges(store: ConversationStore): Promise<void> {
  for (const key of localRecordKeys(PREFIX)) if (key !== KEY) await finish(store, key);
}

async function finish(store: ConversationStore, key: string): Promise<void> {
  const left = readLocalRecord(key);
  // one that changes meanwhile is of a tab that lives: it finishes it itself, and may have made a later change
  const isLeft = () => JSON.stringify(readLocalRecord(key)) === JSON.stringify(left);
  const { items, generation } = await store.heads();
  for (const [id, fields] of Object.entries(left ?? {})) {
    const stored = items.find((head) => head.id === id);
    const patch = fieldsOf(fields);
    const changed = stored ? readHead({ ...stored, ...patch, id }) : null;
    const makesSense = stored && changed && (await hasLeaf(store, stored, changed));
    if (!isLeft()) return;
    if (makesSense) await store.changeHead(stored, patch, generation);
  }
  if (isLeft()) removeLocalRecord(key);
}

async function hasLeaf(
  store: ConversationStore,
  stored: HeadRecord,
  { id, leaf }: HeadRecord,
): Promise<boolean> {
  if (leaf === null || leaf === stored.leaf) return true;
  return (await store.messages(id)).items.some((message) => message.id === leaf);
}

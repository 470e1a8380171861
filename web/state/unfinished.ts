import { type HeadRecord, readHead } from '../storage/conversation-record';
import type { ConversationStore } from '../storage/conversation-store';
import { fieldsOf, readLocalRecord, writeLocalRecord } from '../storage/local-record';
import type { HeadPatch } from './heads';

/**
 * Changes of heads on their way into the database, which cannot be waited for when a page goes: localStorage has them at once,
 * and the next visit finishes what this one could not.
 */
const KEY = 'unfinished';

const underWay = new Map<string, HeadPatch[]>();

function keep(): void {
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

/** Makes the changes that an earlier page left unfinished, where they still make sense. */
export async function finishChanges(store: ConversationStore): Promise<void> {
  const left = Object.entries(readLocalRecord(KEY) ?? {});
  if (left.length === 0) return;
  const { items } = await store.heads();
  for (const [id, fields] of left) {
    const stored = items.find((head) => head.id === id);
    const patch = fieldsOf(fields);
    const changed = stored ? readHead({ ...stored, ...patch, id }) : null;
    if (stored && changed && (await hasLeaf(store, stored, changed))) await store.changeHead(stored, patch);
  }
  keep();
}

async function hasLeaf(
  store: ConversationStore,
  stored: HeadRecord,
  { id, leaf }: HeadRecord,
): Promise<boolean> {
  if (leaf === null || leaf === stored.leaf) return true;
  return (await store.messages(id)).items.some((message) => message.id === leaf);
}

import { batch } from '@preact/signals';
import type { MessageRecord } from '../storage/conversation-record';
import { changeHead, dropConversation, dropMessages, keepMessages, restore, settled, store } from './archive';
import { knownMessages, messagesOf, openId, stop } from './conversation';
import { type Head, headOf, heads, putHead } from './heads';
import { openConversation } from './history';
import { leave } from './leaving';
import type { Message } from './message';
import { toRecord } from './message-record';
import { indexChildren, leafWithout, subtreeOf } from './message-tree';
import { removed } from './removed';
import { isTemporary } from './temporary';

/** Deletes a message with everything that follows it; the nearest branch beside it takes its place. */
export function removeMessage(conversation: string, id: string): void {
  const known = messagesOf(conversation);
  const before = headOf(conversation).leaf;
  const children = indexChildren(known.value);
  const gone = subtreeOf(known.value, children, id);
  const leaf = leafWithout(known.value, children, id);
  if (gone.length === 0) return;
  stop(conversation);
  batch(() => {
    const left = new Map(known.value);
    for (const message of gone) left.delete(message.id);
    known.value = left;
    changeHead(conversation, { leaf });
    dropMessages(
      conversation,
      gone.map((message) => message.id),
    );
    if (left.size === 0) emptied(conversation);
  });
  removed.value = {
    kind: 'message',
    title: '',
    bringBack: () => bringMessagesBack(conversation, gone, before),
  };
}

/** Nothing is left that could be listed; it may still be brought back. */
function emptied(conversation: string): void {
  putHead({ ...headOf(conversation), leaf: null });
  dropConversation(conversation);
}

function bringMessagesBack(conversation: string, gone: readonly Message[], leaf: string | null): void {
  batch(() => {
    const known = messagesOf(conversation);
    known.value = new Map([...known.value, ...gone.map((message) => [message.id, message] as const)]);
    keepMessages(conversation, gone);
    changeHead(conversation, { leaf });
  });
}

/** Deletes a conversation. Its messages are read first, so that it can be brought back whole. */
export async function removeConversation(head: Head): Promise<void> {
  stop(head.id);
  await settled();
  // on screen there may be only a part of it yet
  const { items } = isTemporary(head.id) ? { items: [] } : await store.messages(head.id);
  const known = [...knownMessages(head.id).values()];
  const all = [...items, ...known.map((message) => toRecord(head.id, message))];
  const records = [...new Map(all.map((record) => [record.id, record])).values()];
  const wasOpen = openId.value === head.id;
  leave(head.id);
  dropConversation(head.id);
  removed.value = {
    kind: 'conversation',
    title: head.title,
    bringBack: () => void bringConversationBack(head, records, wasOpen),
  };
}

async function bringConversationBack(
  head: Head,
  records: readonly MessageRecord[],
  wasOpen: boolean,
): Promise<void> {
  putHead(head);
  await restore(head, records);
  // another tab may have deleted everything meanwhile
  if (wasOpen && heads.value.has(head.id)) await openConversation(head.id);
}

import { TabmindError } from '../../src/index';
import { type HeadRecord, type MessageRecord, readHead, readMessage } from '../storage/conversation-record';
import { fieldsOf } from '../storage/local-record';
import { type PromptRecord, readPrompt } from '../storage/prompt-store';
import { settled, store, writeAll } from './archive';
import { EXPORT_FORMAT } from './export-file';
import { noticeWipe, readAll } from './history';
import { addPrompts } from './prompts';

export interface ImportResult {
  readonly numConversations: number;
  /** Messages that were not here yet. */
  readonly numMessages: number;
  /** Prompts that were not here yet. */
  readonly numPrompts: number;
  /** Conversations, messages or prompts of the file that this page cannot read. */
  readonly numSkipped: number;
}

interface ImportedConversation {
  readonly head: HeadRecord;
  readonly messages: readonly MessageRecord[];
}

export interface ImportedFile {
  readonly conversations: readonly ImportedConversation[];
  readonly prompts: readonly PromptRecord[];
  readonly numSkipped: number;
}

function notOurs(cause?: unknown): TabmindError {
  return new TabmindError('bad-request', 'The file is no export of tabmind.', {
    meaning: 'Nothing was changed.',
    remedy: 'Choose a JSON file that was exported here.',
    cause,
  });
}

function notStored(): TabmindError {
  return new TabmindError('storage', 'The import could not be stored.', {
    meaning: 'The browser refused it, or all chats were deleted in another tab meanwhile.',
    remedy: 'Free some space if there is none, and import the file again.',
  });
}

/** Reads an export. Throws `bad-request` for any other file; parts that cannot be read are counted and left out. */
export function parseExport(text: string): ImportedFile {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (thrown) {
    throw notOurs(thrown);
  }
  const { format, conversations, prompts: rawPrompts } = fieldsOf(file);
  if (format !== EXPORT_FORMAT || !Array.isArray(conversations)) throw notOurs();
  let numSkipped = 0;
  const read = conversations.flatMap((value: unknown) => {
    const { messages: rawMessages, ...rawHead } = fieldsOf(value);
    const head = readHead(rawHead);
    const values: readonly unknown[] = Array.isArray(rawMessages) ? rawMessages : [];
    if (head === null || values.length === 0) {
      numSkipped++;
      return [];
    }
    // a message belongs to the conversation that it stands in, whatever it says itself
    const messages = values.flatMap((one) => readMessage({ ...fieldsOf(one), conversation: head.id }) ?? []);
    numSkipped += values.length - messages.length;
    return messages.length > 0 ? [{ head, messages }] : [];
  });
  const values: readonly unknown[] = Array.isArray(rawPrompts) ? rawPrompts : [];
  const prompts = values.flatMap((value) => readPrompt(value) ?? []);
  numSkipped += values.length - prompts.length;
  return { conversations: read, prompts, numSkipped };
}

/**
 * Adds what a file holds to what is here: messages that are missing, and of a conversation that is here already the
 * name and settings of whichever changed last. Nothing is deleted. Throws `bad-request` for a file of another kind.
 */
export async function importConversations(text: string): Promise<ImportResult> {
  const { conversations, prompts, numSkipped } = parseExport(text);
  let numMessages = 0;
  await settled();
  await noticeWipe();
  const isKept = await writeAll(async (since) => {
    for (const { head, messages } of conversations) {
      numMessages += await store.addMessages(messages, since);
      const here = await store.head(head.id);
      const isNewer = here === null || head.updatedMs > here.updatedMs;
      await store.changeHead(head, isNewer ? head : {}, since);
    }
  });
  if (!isKept) throw notStored();
  await readAll();
  const numPrompts = await addPrompts(prompts);
  return { numConversations: conversations.length, numMessages, numPrompts, numSkipped };
}

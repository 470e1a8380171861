import { type MessageRecord, RECORD_VERSION } from '../storage/conversation-record';
import { settled, store } from './archive';
import { type Head, storedHeads } from './heads';
import { pathTo } from './message-tree';
import { storedPrompts } from './prompts';
import { questionText } from './question-text';
import { splitThinking } from './thinking';

/** What an export file says of itself. */
export const EXPORT_FORMAT = 'tabmind-conversations';
const EXPORT_VERSION = 1;

export interface ExportedConversation extends Head {
  readonly version: number;
  readonly messages: readonly MessageRecord[];
}

async function exported(head: Head): Promise<ExportedConversation> {
  await settled();
  const { items } = await store.messages(head.id);
  return { version: RECORD_VERSION, ...head, messages: items };
}

/**
 * Everything that is needed to read the conversations again, branches included; with all of them come the prompts that the
 * person keeps.
 */
export async function conversationsAsJson(which?: readonly Head[]): Promise<string> {
  const conversations = await Promise.all((which ?? storedHeads()).map(exported));
  const file = {
    format: EXPORT_FORMAT,
    version: EXPORT_VERSION,
    exported: new Date().toISOString(),
    conversations,
    ...(which === undefined ? { prompts: await storedPrompts() } : {}),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Names of the speakers in a Markdown file. */
export interface Speakers {
  readonly you: string;
  readonly model: string;
}

/** The branches on screen, for reading. */
export async function conversationsAsMarkdown(
  speakers: Speakers,
  which: readonly Head[] = storedHeads(),
): Promise<string> {
  const conversations = await Promise.all(which.map(exported));
  return `${conversations.map((conversation) => markdownOf(conversation, speakers)).join('\n\n---\n\n')}\n`;
}

/** One conversation as Markdown: its title, then every message of its current branch under who said it. */
function markdownOf(
  { title, systemPrompt, leaf, messages }: ExportedConversation,
  speakers: Speakers,
): string {
  const tree = new Map(messages.map((message) => [message.id, message]));
  const turns = pathTo(tree, leaf).map((message) =>
    message.role === 'user'
      ? `## ${speakers.you}\n\n${questionText(message.text, message.files)}`
      : `## ${speakers.model} (${message.model})\n\n${splitThinking(message.text).text}`,
  );
  const system = systemPrompt.trim() === '' ? [] : [`> ${systemPrompt.trim().replaceAll('\n', '\n> ')}`];
  return [`# ${title}`, ...system, ...turns].join('\n\n');
}

/** Hands conversations to the browser as a JSON file that is called `title`. */
export async function exportJson(title: string, which?: readonly Head[]): Promise<void> {
  download(await conversationsAsJson(which), fileName(title, 'json'), 'application/json');
}

/** Hands conversations to the browser as a Markdown file that is called `title`. */
export async function exportMarkdown(
  title: string,
  speakers: Speakers,
  which?: readonly Head[],
): Promise<void> {
  const text = await conversationsAsMarkdown(speakers, which);
  download(text, fileName(title, 'md'), 'text/markdown');
}

function download(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // the browser has taken it over by the next turn of the event loop
  setTimeout(() => URL.revokeObjectURL(url));
}

/** A title as a file name that every system takes. */
export function fileName(title: string, extension: string): string {
  const name = title
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return `${name === '' ? 'tabmind' : name}.${extension}`;
}

import { computed, signal } from '@preact/signals';
import { openId } from './conversation';
import type { AttachedFile } from './message';
import { WorkQueue } from './work-queue';

/** Larger files fill any context, and would stop the page while they are shown. */
export const MAX_FILE_BYTES = 256 * 1024;
export const MAX_FILES = 8;

/** Why a file was not taken. */
export interface AttachProblem {
  readonly kind: 'too-large' | 'not-text' | 'too-many';
  readonly name: string;
}

const attachedTo = signal<ReadonlyMap<string, readonly AttachedFile[]>>(new Map());

/** Files that go with the next message of the conversation on screen. */
export const attached = computed(() => attachedTo.value.get(openId.value) ?? []);

/** Of the last choice of files; null when all were taken. */
export const attachProblem = signal<AttachProblem | null>(null);

function setAttached(conversation: string, files: readonly AttachedFile[]): void {
  const next = new Map(attachedTo.value);
  if (files.length === 0) next.delete(conversation);
  else next.set(conversation, files);
  attachedTo.value = next;
}

const reading = new WorkQueue();

/** Waits for the files that were chosen so far. */
export const attachmentsRead = (): Promise<void> => reading.settled();

/** Reads files as text and puts them beside the message that is being written; a name that is there already is replaced. */
export async function attachFiles(files: readonly File[]): Promise<void> {
  const conversation = openId.value;
  attachProblem.value = null;
  await reading.add(() => attachAll(conversation, files));
}

async function attachAll(conversation: string, files: readonly File[]): Promise<void> {
  for (const file of files) {
    const problem = await attach(conversation, file);
    if (problem !== null) attachProblem.value = { kind: problem, name: file.name };
  }
}

async function attach(conversation: string, file: File): Promise<AttachProblem['kind'] | null> {
  if (file.size > MAX_FILE_BYTES) return 'too-large';
  const text = decodeText(new Uint8Array(await file.arrayBuffer()));
  if (text === null) return 'not-text';
  const others = (attachedTo.value.get(conversation) ?? []).filter(({ name }) => name !== file.name);
  if (others.length >= MAX_FILES) return 'too-many';
  setAttached(conversation, [...others, { name: file.name, text }]);
  return null;
}

export function detach(name: string): void {
  attachProblem.value = null;
  setAttached(
    openId.value,
    attached.value.filter((file) => file.name !== name),
  );
}

/** What goes with a message that is sent now; it is no longer attached. */
export function takeAttached(conversation: string): readonly AttachedFile[] {
  const files = attachedTo.value.get(conversation) ?? [];
  attachProblem.value = null;
  setAttached(conversation, []);
  return files;
}

/** UTF-8, UTF-16 with its mark, or GB 18030, as old Chinese files have; null for what is no text. */
export function decodeText(bytes: Uint8Array): string | null {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return decoded(bytes, 'utf-16le');
  if (first === 0xfe && second === 0xff) return decoded(bytes, 'utf-16be');
  if (bytes.includes(0)) return null;
  return decoded(bytes, 'utf-8') ?? decoded(bytes, 'gb18030');
}

function decoded(bytes: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    // not in this encoding
    return null;
  }
}

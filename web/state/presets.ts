import { signal } from '@preact/signals';
import { fieldsOf, readLocalRecord, writeLocalRecord } from '../storage/local-record';

/** A system prompt that the person keeps for other chats. */
export interface Preset {
  readonly name: string;
  readonly text: string;
}

const KEY = 'presets';
const NAME_CHARS = 32;

function readPreset(value: unknown): readonly Preset[] {
  const { name, text } = fieldsOf(value);
  return typeof name === 'string' && typeof text === 'string' ? [{ name, text }] : [];
}

function readPresets(): readonly Preset[] {
  const list = readLocalRecord(KEY)?.list;
  return Array.isArray(list) ? list.flatMap(readPreset) : [];
}

export const presets = signal(readPresets());

/** Another tab may have added some, so the list is read again before it changes. */
function change(next: (list: readonly Preset[]) => readonly Preset[]): void {
  presets.value = next(readPresets());
  writeLocalRecord(KEY, { list: presets.value });
}

/** Named after its first line; the same name again replaces it. */
export function keepPreset(text: string): void {
  const line = text.trim().split('\n', 1)[0] ?? '';
  const name = line.length > NAME_CHARS ? `${line.slice(0, NAME_CHARS)}…` : line;
  if (name !== '') change((list) => [...list.filter((preset) => preset.name !== name), { name, text }]);
}

export function removePreset(name: string): void {
  change((list) => list.filter((preset) => preset.name !== name));
}

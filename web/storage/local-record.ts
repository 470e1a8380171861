/**
 * Small settings kept in localStorage as one JSON object per key. A browser may refuse storage (blocked site data,
 * some private windows) and a person may edit it, so reading answers `null` for anything that is not an object and
 * writing reports whether it was kept; the page works without either.
 */
export type LocalRecord = Readonly<Record<string, unknown>>;

/** The fields of a stored value; none where it is no object. */
export const fieldsOf = (value: unknown): LocalRecord =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const PREFIX = 'tabmind.';

function report(action: string, key: string, thrown: unknown): void {
  console.warn(
    `tabmind could not ${action} the setting "${key}"; it lasts until the page is closed.`,
    thrown,
  );
}

/** The stored object, or null when there is none, it is not an object, or storage is refused. */
export function readLocalRecord(key: string): LocalRecord | null {
  try {
    const parsed: unknown = JSON.parse(localStorage.getItem(PREFIX + key) ?? 'null');
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : null;
  } catch (thrown) {
    report('read', key, thrown);
    return null;
  }
}

/** False when the browser refused to keep it. */
export function writeLocalRecord(key: string, record: LocalRecord): boolean {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(record));
    return true;
  } catch (thrown) {
    report('keep', key, thrown);
    return false;
  }
}

export function removeLocalRecord(key: string): void {
  try {
    localStorage.removeItem(PREFIX + key);
  } catch (thrown) {
    report('remove', key, thrown);
  }
}

/** The keys that begin with `prefix`, of records and of what is none; none where storage is refused. */
export function localRecordKeys(prefix: string): readonly string[] {
  const start = PREFIX + prefix;
  try {
    const all = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i) ?? '');
    return all.filter((key) => key.startsWith(start)).map((key) => key.slice(PREFIX.length));
  } catch (thrown) {
    report('read', prefix, thrown);
    return [];
  }
}

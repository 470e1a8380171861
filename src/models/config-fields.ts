import { TabmindError } from '../errors';

export type JsonObject = Readonly<Record<string, unknown>>;

const FILE = 'config.json';

/** A refusal that names the key of config.json. */
export function configError(key: string, what: string): TabmindError {
  return new TabmindError('bad-checkpoint', `${FILE}: ${key} ${what}.`, {
    meaning: 'The description of this model cannot be right, so nothing was loaded.',
    remedy: 'Download the checkpoint again, or choose another one.',
    details: { file: FILE, key },
  });
}

/** A refusal of something sound that tabmind does not compute. */
export function unsupported(key: string, value: unknown, known: readonly string[]): TabmindError {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return new TabmindError(
    'unsupported-model',
    `${FILE}: ${key} is "${shown}", which tabmind does not support.`,
    {
      meaning: `tabmind knows ${known.join(', ')}.`,
      remedy: 'Choose another model.',
      details: { file: FILE, key, value: String(shown) },
    },
  );
}

/** Parses a JSON object. Throws `bad-checkpoint` naming the file. */
export function parseJsonObject(file: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw jsonError(file, `is not valid JSON (${reason})`, cause);
  }
  if (!isObject(value)) throw jsonError(file, 'is not a JSON object');
  return value;
}

function jsonError(file: string, what: string, cause?: unknown): TabmindError {
  return new TabmindError('bad-checkpoint', `${file} ${what}.`, {
    meaning: 'The file is damaged or was edited by hand.',
    remedy: 'Download the checkpoint again.',
    details: { file },
    cause,
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number in [1, max]. `fallback` is taken where the key is absent or null. */
export function readCount(raw: JsonObject, key: string, max: number, fallback?: number): number {
  const value = raw[key] ?? fallback;
  if (value === undefined) throw configError(key, 'is missing');
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw configError(key, `is ${JSON.stringify(value)}, not a whole number`);
  if (value < 1 || value > max) throw configError(key, `is ${value}; it must be 1 to ${max}`);
  return value;
}

/** A finite number above 0. */
export function readPositive(raw: JsonObject, key: string, fallback?: number): number {
  const value = raw[key] ?? fallback;
  if (value === undefined) throw configError(key, 'is missing');
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    throw configError(key, `is ${JSON.stringify(value)}; it must be a number above 0`);
  return value;
}

/** A finite number. */
export function readNumber(raw: JsonObject, key: string, fallback: number): number {
  const value = raw[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw configError(key, `is ${JSON.stringify(value)}, not a number`);
  return value;
}

/** A list of `length` finite numbers above 0. */
export function readPositives(raw: JsonObject, key: string, length: number): readonly number[] {
  const values = raw[key];
  if (!Array.isArray(values) || values.length !== length)
    throw configError(key, `must list ${length} numbers`);
  return values.map((_, i) => readPositive({ [key]: values[i] }, key));
}

export function readFlag(raw: JsonObject, key: string, fallback: boolean): boolean {
  const value = raw[key] ?? fallback;
  if (typeof value !== 'boolean')
    throw configError(key, `is ${JSON.stringify(value)}; it must be true or false`);
  return value;
}

/** One token id, a list of them, or none (absent or null). */
export function readTokenIds(raw: JsonObject, key: string): readonly number[] {
  const value = raw[key];
  if (value === undefined || value === null) return [];
  const ids: readonly unknown[] = Array.isArray(value) ? value : [value];
  return ids.map((id) => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
      throw configError(key, `holds ${JSON.stringify(id)}, which is not a token id`);
    return id;
  });
}

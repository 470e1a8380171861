import { TabmindError } from '../errors';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error for a tokenizer file that cannot be used: names the file and the reason. */
export function badTokenizer(file: string, reason: string, cause?: unknown): TabmindError {
  return new TabmindError('bad-tokenizer', `${file}: ${reason}`, {
    meaning: 'Text cannot be turned into the token ids that this model was trained on.',
    remedy: `Replace ${file} with the one from the model's original repository, or choose another model.`,
    details: { file, reason },
    cause,
  });
}

/**
 * Parses one JSON file whose root must be an object.
 * @throws TabmindError 'bad-tokenizer' naming the file, also when the text is a web page or a Git LFS pointer.
 */
export function parseJsonObject(text: string, file: string): JsonObject {
  const start = text.trimStart();
  if (start.startsWith('<')) throw badTokenizer(file, 'is a web page, not JSON');
  if (start.startsWith('version https://git-lfs')) throw badTokenizer(file, 'is a Git LFS pointer, not JSON');
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (cause) {
    throw badTokenizer(
      file,
      `is not valid JSON (${cause instanceof Error ? cause.message : String(cause)})`,
      cause,
    );
  }
  if (!isJsonObject(root)) throw badTokenizer(file, 'must hold a JSON object');
  return root;
}

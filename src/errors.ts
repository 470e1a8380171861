/** What went wrong, as a word that code can branch on and the page can translate. */
export type ErrorCode =
  | 'no-webgpu'
  | 'no-adapter'
  | 'device-limits'
  | 'device-lost'
  | 'out-of-memory'
  | 'wrong-arithmetic'
  | 'steps-lost'
  | 'shader'
  | 'network'
  | 'not-found'
  | 'bad-checkpoint'
  | 'unsupported-model'
  | 'bad-tokenizer'
  | 'bad-template'
  | 'quota'
  | 'storage'
  | 'corrupt-cache'
  | 'context-full'
  | 'bad-request'
  | 'no-model'
  | 'cancelled'
  | 'internal';

export interface ErrorWords {
  /** What it means for the person in front of the page. */
  readonly meaning?: string;
  /** What they can do about it. */
  readonly remedy?: string;
  /** Names and numbers for the translated message: file, key, bytes … */
  readonly details?: Readonly<Record<string, string | number>>;
  readonly cause?: unknown;
}

/**
 * The one error type that leaves the runtime. `message` says what happened, `meaning` what follows from it,
 * `remedy` what to do. It crosses the worker wall as plain data (`toPlain` / `fromPlain`).
 */
export class TabmindError extends Error {
  override readonly name = 'TabmindError';
  readonly code: ErrorCode;
  readonly meaning: string;
  readonly remedy: string;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, message: string, words: ErrorWords = {}) {
    super(message, words.cause === undefined ? undefined : { cause: words.cause });
    this.code = code;
    this.meaning = words.meaning ?? '';
    this.remedy = words.remedy ?? '';
    this.details = words.details ?? {};
  }

  toPlain(): PlainError {
    const { code, message, meaning, remedy, details } = this;
    return { tabmind: true, code, message, meaning, remedy, details };
  }

  static fromPlain(plain: PlainError): TabmindError {
    return new TabmindError(plain.code, plain.message, plain);
  }

  /** Wraps whatever was thrown; an error of ours passes unchanged. */
  static from(thrown: unknown, code: ErrorCode = 'internal'): TabmindError {
    if (thrown instanceof TabmindError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new TabmindError(code, message, { cause: thrown });
  }
}

export interface PlainError {
  readonly tabmind: true;
  readonly code: ErrorCode;
  readonly message: string;
  readonly meaning: string;
  readonly remedy: string;
  readonly details: Readonly<Record<string, string | number>>;
}

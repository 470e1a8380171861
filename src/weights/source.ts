import type { BufferPool } from './buffer-pool';

/** Where the files of one checkpoint come from. Paths are plain file names inside its folder. */
export interface ModelSource {
  /** Shown in messages. */
  readonly id: string;
  /** Throws `not-found` when there is no such file, `network` when it cannot be had. */
  readText(path: string, signal?: AbortSignal): Promise<string>;
  /** null when there is no such file. */
  tryReadText(path: string, signal?: AbortSignal): Promise<string | null>;
  /** Size in bytes; null when there is no such file. */
  size(path: string, signal?: AbortSignal): Promise<number | null>;
  /**
   * Bytes [start, end), exactly that many, which are the caller's. They may lie in a buffer from `pool`, which the caller
   * can give back then; without a pool they have a buffer of their own.
   */
  readRange(
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
    pool?: BufferPool,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Names of all files, where the source can say. */
  list?(signal?: AbortSignal): Promise<readonly string[]>;
}

/** The small files of a checkpoint, as text; null where there is no such file. */
export interface ModelTexts {
  readonly config: string;
  readonly generationConfig: string | null;
  readonly tokenizer: string | null;
  readonly tokenizerConfig: string | null;
  readonly chatTemplate: string | null;
}

import type { Signal } from '@preact/signals';
import type { FinishReason, TabmindError, Timings, Usage } from '../../src/index';

/** What is kept of the engine's counts. */
export type AnswerUsage = Pick<
  Usage,
  'prompt_tokens' | 'completion_tokens' | 'total_tokens' | 'prompt_tokens_details'
>;

/** What is kept of the engine's times. */
export type AnswerTimings = Pick<
  Timings,
  'ttftMs' | 'totalMs' | 'tpotMs' | 'itlP95Ms' | 'prefillTokensPerSecond' | 'decodeTokensPerSecond'
>;

export type AnswerState =
  /** The model is still loading. */
  | { readonly status: 'waiting' }
  /** Prefill, then decode. */
  | { readonly status: 'answering' }
  /** Another tab computes it; its text arrives through the storage. */
  | { readonly status: 'elsewhere' }
  | {
      readonly status: 'done';
      readonly finishReason: FinishReason;
      readonly usage: AnswerUsage | null;
      readonly timings: AnswerTimings | null;
    }
  | { readonly status: 'failed'; readonly error: TabmindError };

interface Place {
  readonly id: string;
  /** The message that this one follows; null at the start of the conversation. */
  readonly parent: string | null;
  readonly createdMs: number;
}

/** A text file that goes with a question. */
export interface AttachedFile {
  readonly name: string;
  readonly text: string;
}

/** Never changes: an edit makes a new question beside it. */
export interface Question extends Place {
  readonly role: 'user';
  readonly text: string;
  readonly files?: readonly AttachedFile[];
}

/** Text and state are signals so that a streamed token touches one text node, not the list. */
export interface Answer extends Place {
  readonly role: 'assistant';
  /** Id of the model that wrote it. */
  readonly model: string;
  readonly text: Signal<string>;
  readonly state: Signal<AnswerState>;
  /** Time from the first token to the end of its thinking; null while it thinks, or when it does not. */
  readonly thinkingMs: Signal<number | null>;
}

export type Message = Question | Answer;

export type Messages = ReadonlyMap<string, Message>;

/** Text is still to come. */
export const isRunning = ({ status }: AnswerState): boolean =>
  status === 'waiting' || status === 'answering' || status === 'elsewhere';

import { Detokenizer } from '../chat/detokenizer';
import { StopStrings } from '../chat/stop-strings';
import { bytesOfToken } from '../chat/token-bytes';
import type { Tokenizer } from '../chat/tokenizer';
import { toolMarkIds } from '../chat/tool-marks';
import type { TokenLogprob } from '../engine/batch';
import type { ChatChunk, FinishReason, Timings, TokenChoice, TokenReport, Usage } from '../protocol';
import type { TextModel } from './text-model';

/** Hands chunks to the page, in order. */
export type SendChunks = (chunks: readonly ChatChunk[]) => void;

/** Token ids of one answer → text deltas → OpenAI-shaped chunks, cut at the first stop string. */
export class ChatStream {
  readonly #head: Pick<ChatChunk, 'id' | 'object' | 'created' | 'model'>;
  readonly #tokenizer: Tokenizer;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #send: SendChunks;
  readonly #index: number;
  /** Of tokens that no chunk has reported yet. */
  #reports: TokenReport[] | null = null;

  /** `index`: which of the answers to the request. */
  constructor(
    id: string,
    model: string,
    text: Pick<TextModel, 'tokenizer' | 'continuesText'>,
    stops: readonly string[],
    send: SendChunks,
    index = 0,
  ) {
    this.#head = { id, object: 'chat.completion.chunk', created: Math.floor(Date.now() / 1000), model };
    this.#tokenizer = text.tokenizer;
    const { tokenizer, continuesText } = text;
    this.#detokenizer = new Detokenizer(tokenizer, { continuesText, keptIds: toolMarkIds(tokenizer) });
    this.#stops = new StopStrings(stops);
    this.#send = send;
    this.#index = index;
  }

  start(): void {
    this.#send([this.#chunk({ role: 'assistant', content: '' }, null)]);
  }

  /** True when a stop string has been reached: nothing more belongs to the answer. `logprobs`: of every id, or null. */
  push(ids: readonly number[], logprobs: readonly TokenLogprob[] | null = null): boolean {
    for (const [i, report] of logprobs?.entries() ?? []) {
      this.#reports ??= [];
      this.#reports.push(this.#reportOf(ids[i] ?? -1, report));
    }
    return this.#emit(this.#detokenizer.push(ids));
  }

  end(reason: FinishReason, usage: Usage, timings: Timings): void {
    if (this.#stops.found === null) {
      this.#emit(this.#detokenizer.flush());
      const rest = this.#stops.flush();
      if (rest !== '') this.#send([this.#chunk({ content: rest }, null)]);
    }
    this.#send([{ ...this.#chunk({}, reason), usage, timings }]);
  }

  #emit(delta: string): boolean {
    const { text, stop } = this.#stops.push(delta);
    if (text !== '') this.#send([this.#chunk({ content: text }, null)]);
    return stop !== null;
  }

  #chunk(delta: ChatChunk['choices'][0]['delta'], finish_reason: FinishReason | null): ChatChunk {
    const content = this.#reports;
    this.#reports = null;
    const logprobs = content && { logprobs: { content } };
    return { ...this.#head, choices: [{ index: this.#index, delta, ...logprobs, finish_reason }] };
  }

  #reportOf(id: number, { logprob, top }: TokenLogprob): TokenReport {
    return {
      ...this.#choiceOf(id, logprob),
      top_logprobs: top.map((choice) => this.#choiceOf(choice.id, choice.logprob)),
    };
  }

  #choiceOf(id: number, logprob: number): TokenChoice {
    const bytes = bytesOfToken(this.#tokenizer, id);
    const token = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    return { token, logprob, bytes: [...bytes] };
  }
}

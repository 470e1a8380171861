import { Detokenizer } from '../chat/detokenizer';
import { StopStrings } from '../chat/stop-strings';
import type { ChatChunk, FinishReason, Timings, Usage } from '../protocol';
import type { TextModel } from './text-model';

/** Hands chunks to the page, in order; a promise resolves when they have arrived. */
export type SendChunks = (chunks: readonly ChatChunk[]) => void | Promise<void>;

/** Token ids of one answer → text deltas → OpenAI-shaped chunks, cut at the first stop string. */
export class ChatStream {
  readonly #head: Pick<ChatChunk, 'id' | 'object' | 'created' | 'model'>;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #send: SendChunks;
  readonly #index: number;

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
    this.#detokenizer = new Detokenizer(text.tokenizer, { continuesText: text.continuesText });
    this.#stops = new StopStrings(stops);
    this.#send = send;
    this.#index = index;
  }

  start(): void {
    this.#send([this.#chunk({ role: 'assistant', content: '' }, null)]);
  }

  /** True when a stop string has been reached: nothing more belongs to the answer. */
  push(ids: readonly number[]): boolean {
    return this.#emit(this.#detokenizer.push(ids));
  }

  /** Resolves when the last chunk has arrived: the reply to the request takes another way and must not overtake it. */
  async end(reason: FinishReason, usage: Usage, timings: Timings): Promise<void> {
    if (this.#stops.found === null) {
      this.#emit(this.#detokenizer.flush());
      const rest = this.#stops.flush();
      if (rest !== '') this.#send([this.#chunk({ content: rest }, null)]);
    }
    await this.#send([{ ...this.#chunk({}, reason), usage, timings }]);
  }

  #emit(delta: string): boolean {
    const { text, stop } = this.#stops.push(delta);
    if (text !== '') this.#send([this.#chunk({ content: text }, null)]);
    return stop !== null;
  }

  #chunk(delta: ChatChunk['choices'][0]['delta'], finish_reason: FinishReason | null): ChatChunk {
    return { ...this.#head, choices: [{ index: this.#index, delta, finish_reason }] };
  }
}

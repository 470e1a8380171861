import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesOfToken } from '../../src/chat/token-bytes';
import { ChatStream } from '../../src/llm/chat-stream';
import { generationDefaults, samplingParams } from '../../src/llm/generation-defaults';
import { TextModel } from '../../src/llm/text-model';
import type { ChatChunk } from '../../src/protocol';

const file = (name: string) =>
  readFileSync(new URL(`../../public/models/starter/${name}`, import.meta.url), 'utf8');
const text = new TextModel(
  { tokenizer: file('tokenizer.json'), tokenizerConfig: file('tokenizer_config.json'), chatTemplate: null },
  8192,
);
const USAGE = {
  prompt_tokens: 1,
  completion_tokens: 1,
  total_tokens: 2,
  prompt_tokens_details: { cached_tokens: 0 },
};
const TIMINGS = {
  ttftMs: 1,
  totalMs: 2,
  tpotMs: 1,
  itlP95Ms: 1,
  prefillTokensPerSecond: 3,
  decodeTokensPerSecond: 4,
  draftTokens: 0,
  acceptedDraftTokens: 0,
};

function collect(stops: readonly string[], ids: readonly number[], model = text) {
  const chunks: ChatChunk[] = [];
  const stream = new ChatStream('id', 'starter', model, stops, (more) => {
    chunks.push(...more);
  });
  stream.start();
  let stopped = false;
  for (const id of ids) stopped ||= stream.push([id]);
  void stream.end('stop', USAGE, TIMINGS);
  return { stopped, chunks, said: chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join('') };
}

describe('ChatStream', () => {
  const answer = 'Grüße, 你好 👩‍👩‍👧! One two three';
  const ids = text.tokenizer.encode(answer, { addSpecialTokens: false });

  it('keeps the marks of tool calls where the tokenizer calls them special, and no other markup', () => {
    const mark = { id: 8192, content: '[TOOL_CALLS]', single_word: false, lstrip: false, rstrip: false };
    const json = JSON.parse(file('tokenizer.json'));
    json.added_tokens.push({ ...mark, normalized: false, special: true });
    const texts = { tokenizer: JSON.stringify(json), tokenizerConfig: file('tokenizer_config.json') };
    const mistral = new TextModel({ ...texts, chatTemplate: null }, 8193);
    const marked = mistral.tokenizer.encode('[TOOL_CALLS][]<|im_end|>', { addSpecialTokens: false });
    expect(marked[0]).toBe(8192);
    expect(mistral.tokenizer.specialIds.has(8192)).toBe(true);
    expect(collect([], marked, mistral).said).toBe('[TOOL_CALLS][]');
  });

  it('streams the whole text, opens with the role, closes with reason, usage and timings', () => {
    const { chunks, said, stopped } = collect([], ids);
    expect(said).toBe(answer);
    expect(stopped).toBe(false);
    expect(chunks[0]?.choices[0].delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ finish_reason: 'stop', delta: {} }],
      usage: USAGE,
      timings: TIMINGS,
    });
    expect(chunks.slice(0, -1).every((chunk) => chunk.choices[0].finish_reason === null)).toBe(true);
  });

  it('cuts at a stop string that spans tokens, and says nothing after it', () => {
    const { said, stopped } = collect(['wo th'], ids);
    expect(stopped).toBe(true);
    expect(said).toBe('Grüße, 你好 👩‍👩‍👧! One t');
  });

  it('reports logprobs in OpenAI’s shape, of every token once, those of held-back text later', () => {
    const chunks: ChatChunk[] = [];
    const stream = new ChatStream('id', 'starter', text, ['wo threw'], (more) => {
      chunks.push(...more);
    });
    stream.start();
    for (const [i, id] of ids.entries())
      stream.push(
        [id],
        [
          {
            logprob: -i,
            top: [
              { id, logprob: -i },
              { id: 5, logprob: -9 },
            ],
          },
        ],
      );
    void stream.end('stop', USAGE, TIMINGS);
    const reports = chunks.flatMap(({ choices: [{ logprobs }] }) => logprobs?.content ?? []);
    expect(reports.map(({ logprob }) => -logprob)).toEqual([...ids.keys()]);
    expect(new TextDecoder().decode(Uint8Array.from(reports.flatMap(({ bytes }) => bytes)))).toContain(
      answer,
    );
    for (const { token, logprob, bytes, top_logprobs: top } of reports) {
      expect(top[0]).toEqual({ token, logprob, bytes });
      expect(top[1]?.logprob).toBe(-9);
    }
    const parts = reports.filter(({ token }) => token.includes('\ufffd'));
    // Letters with diacritics and emoji are several tokens of bytes.
    expect(parts.length).toBeGreaterThan(0);
    expect(chunks[0]?.choices[0]).not.toHaveProperty('logprobs');
  });

  it('gives back what only looked like the start of a stop string', () => {
    expect(collect(['three!'], ids).said).toBe(answer);
  });
});

describe('TextModel', () => {
  it('encodes the recorded conversations to the recorded ids', () => {
    const { prompts } = JSON.parse(file('expected.json'));
    expect(prompts).toHaveLength(8);
    for (const { messages, prompt_ids } of prompts) expect(text.encodeChat(messages)).toEqual(prompt_ids);
  });
});

describe('an answer that goes on', () => {
  it('has the prompt and the ids of the answer before it', () => {
    const messages = [{ role: 'user', content: 'Tell me a story' }] as const;
    const answer = { role: 'assistant', content: 'Once upon a time' } as const;
    const ids = text.tokenizer.encode(answer.content, { addSpecialTokens: false });
    expect(text.encodeChat([...messages, answer], true)).toEqual([...text.encodeChat(messages), ...ids]);
  });
});

describe('TextModel.encodeWord', () => {
  it('gives the ids at the start of a text and behind a space, and no others', () => {
    const forms = text.encodeWord('sea');
    const decoded = forms.map((form) =>
      form.map((id) => new TextDecoder().decode(bytesOfToken(text.tokenizer, id))).join(''),
    );
    expect(new Set(decoded.map((word) => word.trim()))).toEqual(new Set(['sea']));
    expect(new Set(forms.map(String)).size).toBe(forms.length);
    expect(text.encodeWord('')).toEqual([[]]);
  });
});

describe('sampling defaults', () => {
  const starter = generationDefaults(JSON.parse(file('generation_config.json')));

  it('come from generation_config.json', () => {
    expect(starter).toEqual({
      temperature: 0.7,
      topK: 0,
      topP: 0.9,
      minP: 0,
      repetitionPenalty: 1.05,
      minNewTokens: 0,
      maxNewTokens: 256,
    });
    expect(generationDefaults({ temperature: 0.7 }).temperature).toBe(0);
  });

  const context = { defaults: starter, roomTokens: 100, vocabSize: 8192, badWords: [] };

  it('give way to the request', () => {
    const params = samplingParams({ temperature: 0, top_k: 5, seed: 7, max_tokens: 3 }, context);
    expect(params).toMatchObject({
      temperature: 0,
      topK: 5,
      topP: 0.9,
      seed: 7,
      maxTokens: 3,
      ignoreEos: false,
    });
    const unlimited = { ...context, defaults: { ...starter, maxNewTokens: null } };
    expect(samplingParams({}, unlimited).maxTokens).toBe(100);
  });
});

import { describe, expect, it } from 'vitest';
import { ChatTemplate, type TemplateTokens } from '../../src/chat/chat-template';
import { parseTokenizerConfig } from '../../src/chat/tokenizer-config';
import type { ChatMessage } from '../../src/protocol';
import { loadTokenizer, readFixture, readStarter } from '../fixtures/tokenizers/load';

interface RenderCase {
  readonly template: string;
  readonly case: string;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly unknown[] | null;
  readonly add_generation_prompt: boolean;
  readonly bos_token: string;
  readonly eos_token: string;
  readonly rendered?: string;
  readonly error?: string;
}

const renders = JSON.parse(readFixture('chat_template_renders.json')) as readonly RenderCase[];
const NOW = new Date(2024, 6, 26, 15, 4, 5);

/** A tokenizer_config.json with these fields, and a vocabulary with these tokens. */
function tokensOf(config: object, vocabulary: readonly string[] = []): TemplateTokens {
  return {
    config: parseTokenizerConfig(JSON.stringify(config)),
    idOf: (token) => (vocabulary.includes(token) ? vocabulary.indexOf(token) : null),
  };
}

/** As a pattern. */
function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function render(
  template: string,
  messages: readonly ChatMessage[] = [{ role: 'user', content: 'Hi' }],
): string {
  return ChatTemplate.create(tokensOf({}), template).render(messages, { now: NOW });
}

/** SmolLM3 writes tools as Python prints a dict (`tool | string`), which @huggingface/jinja 0.5.11 refuses. */
function isBeyondLibrary({ template, tools }: RenderCase): boolean {
  return template === 'smollm3' && tools !== null;
}

describe('ChatTemplate', () => {
  it('has 55 renders of eleven templates', () => {
    expect(renders.length).toBe(55);
    expect(new Set(renders.map(({ template }) => template)).size).toBe(11);
  });

  it.each(renders.map((entry) => [`${entry.template} ${entry.case}`, entry] as const))(
    'renders %s',
    (_, entry) => {
      const { bos_token, eos_token, rendered, messages } = entry;
      const source = readFixture(`chat_templates/${entry.template}.jinja`);
      const template = ChatTemplate.create(tokensOf({ bos_token, eos_token }), source);
      const options = {
        addGenerationPrompt: entry.add_generation_prompt,
        tools: entry.tools ?? [],
        now: NOW,
      };
      if (rendered === undefined || isBeyondLibrary(entry)) {
        expect(() => template.render(messages, options)).toThrow(
          expect.objectContaining({ code: 'bad-template' }),
        );
      } else {
        expect(template.render(messages, options)).toBe(rendered);
      }
    },
  );

  it('writes the prompts of the starter model', () => {
    const starter = loadTokenizer('starter');
    const template = ChatTemplate.create(starter, null);
    const { prompts } = JSON.parse(readStarter('expected.json'));
    expect(prompts.length).toBe(8);
    for (const { messages, prompt_ids } of prompts) {
      const text = template.render(messages);
      expect(starter.encode(text, { addSpecialTokens: template.addSpecialTokens })).toEqual(prompt_ids);
    }
  });
});

describe('ChatTemplate.create', () => {
  const user: ChatMessage[] = [{ role: 'user', content: 'Hi' }];

  it('takes chat_template.jinja before tokenizer_config.json', () => {
    const tokens = tokensOf({ chat_template: 'config' });
    expect(ChatTemplate.create(tokens, null).render(user)).toBe('config');
    expect(ChatTemplate.create(tokens, 'file').render(user)).toBe('file');
  });

  it('chooses among named templates', () => {
    const named = (...names: string[]) =>
      tokensOf({ chat_template: names.map((name) => ({ name, template: `the ${name} one` })) });
    const template = ChatTemplate.create(named('default', 'tool_use'), null);
    expect(template.render(user)).toBe('the default one');
    expect(template.render(user, { tools: [{}] })).toBe('the tool_use one');
    expect(ChatTemplate.create(named('rag'), null).render(user)).toBe('the rag one');
    expect(() => ChatTemplate.create(named('rag', 'tool_use'), null)).toThrow(
      expect.objectContaining({ code: 'bad-template', message: expect.stringContaining('rag, tool_use') }),
    );
  });

  it('uses ChatML only where the tokenizer knows it', () => {
    const chatml = ChatTemplate.create(tokensOf({}, ['<|im_start|>', '<|im_end|>']), null);
    expect(chatml.kind).toBe('chatml');
    expect(chatml.addSpecialTokens).toBe(false);
    expect(chatml.render(user)).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n');
    expect(chatml.render(user, { addGenerationPrompt: false })).toBe('<|im_start|>user\nHi<|im_end|>\n');
    expect(ChatTemplate.create(tokensOf({}, ['<|im_start|>']), null).kind).toBe('plain');
  });

  it('continues the text as it stands for a base model', () => {
    const stories = loadTokenizer('stories260K');
    const plain = ChatTemplate.create(stories, null);
    expect(plain.kind).toBe('plain');
    const text = plain.render([{ role: 'user', content: 'Once upon a time' }]);
    expect(stories.encode(text, { addSpecialTokens: plain.addSpecialTokens })).toEqual([
      1, 403, 407, 261, 378,
    ]);
    expect(plain.render([...user, { role: 'assistant', content: ' there\n' }, ...user])).toBe(
      'Hi\n there\n\nHi',
    );
  });

  it('reports a template that does not parse', () => {
    expect(() => ChatTemplate.create(tokensOf({}), '{% for %}')).toThrow(
      expect.objectContaining({ code: 'bad-template', message: expect.stringContaining('does not parse') }),
    );
  });
});

describe('ChatTemplate.renderContinued', () => {
  const question: ChatMessage = { role: 'user', content: 'Hi' };
  const continued = (template: string, content: string, before: readonly ChatMessage[] = [question]) =>
    ChatTemplate.create(
      tokensOf({ bos_token: '<s>', eos_token: '</s>' }),
      readFixture(`chat_templates/${template}.jinja`),
    ).renderContinued([...before, { role: 'assistant', content }], { now: NOW });

  it.each([
    ['qwen2.5', '<|im_start|>assistant\n'],
    ['phi-3-mini', '<|assistant|>\n'],
    ['phi-3-medium', '<|assistant|>\n'],
    ['microsoft-Phi-3.5-mini-instruct', '<|assistant|>\n'],
    ['phi-4-mini', '<|assistant|>'],
    ['mistral-nemo', '<extra_id_1>Assistant\n'],
    ['gpt-oss', '<|start|>assistant<|message|>'],
    ['smollm3', '<|im_start|>assistant\n'],
    // a model that thinks, in an answer that has none
    ['qwen3', '<|im_start|>assistant\n<think>\n\n</think>\n\n'],
  ])('ends with the unfinished text in %s', (template, opening) => {
    // the last is part of every end mark
    for (const content of ['Hello the', 'One.\n\n', 'end', '|', 'a'])
      expect(continued(template, content)).toMatch(new RegExp(`${literal(opening + content)}$`));
  });

  it('begins as the prompt of the answer did', () => {
    for (const template of ['qwen2.5', 'phi-3-mini', 'phi-4-mini', 'mistral-nemo', 'smollm3']) {
      const source = readFixture(`chat_templates/${template}.jinja`);
      const before = [question, { role: 'assistant', content: 'Hello.' }, question] as const;
      const prompt = ChatTemplate.create(tokensOf({ bos_token: '<s>', eos_token: '</s>' }), source).render(
        before,
        { now: NOW },
      );
      expect(continued(template, 'I am', before)).toBe(`${prompt}I am`);
    }
  });

  it.each([
    ['qwen3', '<|im_start|>assistant\n', '<think>\nThe user'],
    ['qwen3', '<|im_start|>assistant\n', '<think>\nHm.\n</think>\n\nSo'],
    ['smollm3', '<|im_start|>assistant\n', '<think>\nHm.\n</think>\nSo'],
    // its prompt has opened the thinking
    ['deepseek-r1-distill-qwen', '<｜Assistant｜><think>\n', 'The user'],
    ['deepseek-r1-distill-qwen', '<｜Assistant｜><think>\n', 'Hm.\n</think>\n\nSo'],
  ])('keeps the thinking of the answer in %s', (template, opening, content) => {
    expect(continued(template, content)).toMatch(new RegExp(`${literal(opening + content)}$`));
    expect(continued(template, content).split(content)).toHaveLength(2);
  });

  it('goes on without a break for a base model', () => {
    const plain = ChatTemplate.create(tokensOf({}), null);
    const answer: ChatMessage = { role: 'assistant', content: ' there was' };
    expect(plain.renderContinued([question, answer])).toBe('Hi there was');
    expect(plain.renderContinued([answer])).toBe(' there was');
  });

  it('refuses a conversation that ends otherwise, and a template that hides or changes the answer', () => {
    const template = (source: string) => ChatTemplate.create(tokensOf({}), source);
    const answer: ChatMessage = { role: 'assistant', content: 'Yes' };
    const refused = (code: string) => expect.objectContaining({ code });
    expect(() => template('x').renderContinued([answer, question])).toThrow(refused('bad-request'));
    expect(() => template('x').renderContinued([])).toThrow(refused('bad-request'));
    expect(() => template('x').renderContinued([question, answer])).toThrow(refused('bad-template'));
    const loud = '{% for message in messages %}{{ message.content | upper }}{% endfor %}';
    expect(() => template(loud).renderContinued([question, answer])).toThrow(refused('bad-template'));
  });
});

describe('ChatTemplate.render', () => {
  it('passes the reason of raise_exception on', () => {
    expect(() => render("{{ raise_exception('roles must alternate') }}")).toThrow(
      expect.objectContaining({ code: 'bad-template', details: { reason: 'roles must alternate' } }),
    );
  });

  it('reports a template that fails', () => {
    expect(() => render('{{ nothing.here() }}')).toThrow(
      expect.objectContaining({ code: 'bad-template', message: expect.stringContaining('cannot render') }),
    );
  });

  it('refuses an empty conversation', () => {
    expect(() => render('x', [])).toThrow(expect.objectContaining({ code: 'bad-request' }));
  });

  it('tells the date in English', () => {
    expect(render("{{ strftime_now('%d %b %Y, %A %a %B %y-%m-%d %j %H:%M:%S %I %p %%') }}")).toBe(
      '26 Jul 2024, Friday Fri July 24-07-26 208 15:04:05 03 PM %',
    );
    expect(() => render("{{ strftime_now('%Q') }}")).toThrow(
      expect.objectContaining({ code: 'bad-template' }),
    );
  });

  it('has range, bounded', () => {
    expect(render('{% for i in range(3) %}{{ i }}{% endfor %}')).toBe('012');
    expect(render('{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}')).toBe('53');
    expect(() => render('{% for i in range(1000000000) %}{% endfor %}')).toThrow(
      expect.objectContaining({ code: 'bad-template' }),
    );
  });

  it('gives unset tokens as nothing', () => {
    expect(render("{{ bos_token + 'a' + eos_token }}{{ pad_token }}")).toBe('a');
  });
});

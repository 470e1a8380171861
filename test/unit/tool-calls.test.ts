import { describe, expect, it } from 'vitest';
import { type AnswerPart, splitToolCalls } from '../../web/state/tool-calls';

/** Parts in short: texts as they are, calls as `name body`, running ones with a star. */
const short = (parts: readonly AnswerPart[]) =>
  parts.map((part) =>
    part.kind === 'text' ? part.text : [`${part.isRunning ? '*' : ''}${part.name}`, part.body],
  );
const done = (answer: string) => short(splitToolCalls(answer, false));
const streaming = (answer: string) => short(splitToolCalls(answer, true));
const PARIS = JSON.stringify({ city: 'Paris' }, null, 2);

describe('tool calls', () => {
  it.each([
    ['Qwen and Hermes', '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'],
    ['Llama 3.1', '<|python_tag|>{"name": "weather", "parameters": {"city": "Paris"}}'],
    ['Llama 3.2 without a mark', '{"name": "weather", "parameters": {"city": "Paris"}}'],
    ['Mistral', '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Paris"}}]'],
    ['newer Mistral', '[TOOL_CALLS]weather[CALL_ID]a1b2c3[ARGS]{"city": "Paris"}'],
    [
      'InternLM',
      '<|action_start|><|plugin|>\n{"name": "weather", "parameters": {"city": "Paris"}}<|action_end|>\n',
    ],
    [
      'arguments as a string',
      '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}</tool_call>',
    ],
  ])('are read as %s writes them', (_, answer) => {
    expect(done(answer)).toEqual([['weather', PARIS]]);
  });

  it('are told from the text around them, also where there are several', () => {
    const call = (name: string) => `<tool_call>\n{"name": "${name}", "arguments": {}}\n</tool_call>`;
    expect(done(`Let me see.\n${call('one')}\n${call('two')}\nDone.`)).toEqual([
      'Let me see.\n',
      ['one', '{}'],
      ['two', '{}'],
      'Done.',
    ]);
    expect(done('[TOOL_CALLS][{"name": "one", "arguments": {}}, {"name": "two", "arguments": {}}]')).toEqual([
      ['one', '{}'],
      ['two', '{}'],
    ]);
    expect(done('[TOOL_CALLS]one[ARGS]{}[TOOL_CALLS]two[ARGS]{}')).toEqual([
      ['one', '{}'],
      ['two', '{}'],
    ]);
    expect(
      done('<|python_tag|>{"name": "one", "parameters": {}}; {"name": "two", "parameters": {}}'),
    ).toEqual([
      ['one', '{}'],
      ['two', '{}'],
    ]);
  });

  it('are shown as they are where they are no JSON', () => {
    expect(done('<|python_tag|>search.call(query="x")')).toEqual([['search.call', 'search.call(query="x")']]);
    expect(done('<|action_start|><|interpreter|>\nprint(1)\n<|action_end|>')).toEqual([
      ['interpreter', 'print(1)'],
    ]);
    const coder = '<function=read>\n<parameter=path>\na\n</parameter>\n</function>';
    expect(done(`<tool_call>\n${coder}\n</tool_call>`)).toEqual([['read', coder]]);
    expect(done('<tool_call>{"name": "broken", "arguments": {</tool_call>')).toEqual([
      ['broken', '{"name": "broken", "arguments": {'],
    ]);
    expect(done('<tool_call>[1, 2]</tool_call>')).toEqual([
      ['null', '1'],
      ['null', '2'],
    ]);
  });

  it('run while they stream, and are cut where the answer was stopped', () => {
    expect(streaming('So:\n<tool_call>')).toEqual(['So:\n', ['*null', '']]);
    const half = '<tool_call>\n{"name": "weather", "argu';
    expect(streaming(half)).toEqual([['*weather', '{"name": "weather", "argu']]);
    expect(done(half)).toEqual([['weather', '{"name": "weather", "argu']]);
    expect(streaming('<tool_call>{"name": "weather", "arguments": {}}</tool_call>')).toEqual([
      ['weather', '{}'],
    ]);
    expect(streaming('[TOOL_CALLS]weather[ARGS]{"city": "Paris"}')).toEqual([['*weather', PARIS]]);
  });

  it('never show half a mark while they stream', () => {
    const answer = 'Yes.<tool_call>{"name": "weather", "arguments": {"a": [1]}}</tool_call>';
    for (let length = 0; length <= answer.length; length++) {
      const said = streaming(answer.slice(0, length)).flat().join('');
      expect(said).not.toMatch(/tool|<|_call/);
    }
    expect(done('a <tool')).toEqual(['a <tool']);
  });

  it('are text in code, and JSON that calls nothing stays JSON', () => {
    for (const text of [
      'Write `<tool_call>` first.',
      '```xml\n<tool_call>\n{}\n</tool_call>\n```\nas above',
      '{"name": "Bob", "age": 3}',
      'Use [TOOLS] and <b>.',
    ]) {
      expect(done(text)).toEqual([text]);
      expect(streaming(text)).toEqual([text]);
    }
    expect(done('')).toEqual([]);
  });
});

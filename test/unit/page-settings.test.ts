import { beforeAll, describe, expect, it } from 'vitest';
import { generationDefaults } from '../../src/llm/generation-defaults';
import { stubPage } from './stub-page';

async function load() {
  stubPage();
  return await import('../../web/state/sampling');
}

let page: Awaited<ReturnType<typeof load>>;

beforeAll(async () => {
  page = await load();
});

describe('ownSetting', () => {
  it('is the number of generation_config.json', () => {
    const defaults = generationDefaults({
      do_sample: true,
      temperature: 0.6,
      top_k: 20,
      max_new_tokens: 512,
    });
    const own = Object.fromEntries(
      page.SAMPLING_NUMBERS.map((name) => [name, page.ownSetting(name, defaults)]),
    );
    expect(own).toEqual({
      temperature: 0.6,
      topP: 1,
      topK: 20,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      maxTokens: 512,
      seed: 'random',
    });
  });

  it('is greedy and without a limit for a model that says nothing', () => {
    const defaults = generationDefaults({});
    expect(page.ownSetting('temperature', defaults)).toBe(0);
    expect(page.ownSetting('maxTokens', defaults)).toBe('unlimited');
  });
});

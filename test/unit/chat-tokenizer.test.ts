import { describe, expect, it, vi } from 'vitest';
import { Tokenizer } from '../../src/chat/tokenizer';
import { TabmindError } from '../../src/errors';
import {
  listFixtures,
  loadTokenizer,
  readFixture,
  readStarter,
  TOKENIZER_NAMES,
} from '../fixtures/tokenizers/load';

// Reading a large vocabulary takes a second on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

interface ReferenceCase {
  readonly text: string;
  readonly ids: readonly number[];
}

const reference = JSON.parse(readFixture('reference_ids.json')) as Record<string, readonly ReferenceCase[]>;

/** The error that parsing gives, or null. */
function parseError(
  tokenizer: string,
  config: string | null = null,
  numEmbeddings = 64,
): TabmindError | null {
  try {
    Tokenizer.parse({ tokenizer, config }, numEmbeddings);
    return null;
  } catch (thrown) {
    if (thrown instanceof TabmindError) return thrown;
    throw thrown;
  }
}

const valid = JSON.parse(readFixture('malformed/tokenizer-valid/tokenizer.json'));

describe('Tokenizer.encode', () => {
  it('has reference ids for five tokenizers', () => {
    expect(Object.keys(reference).sort()).toEqual([
      'gpt2',
      'internlm2',
      'phi-3-mini',
      'smollm2',
      'stories260K',
    ]);
  });

  it.each(TOKENIZER_NAMES.filter((name) => name !== 'starter'))('%s gives the reference ids', (name) => {
    const tokenizer = loadTokenizer(name);
    const cases = reference[name] ?? [];
    expect(cases.length).toBeGreaterThanOrEqual(10);
    for (const { text, ids } of cases)
      expect(tokenizer.encode(text, { addSpecialTokens: false }), text).toEqual(ids);
  });

  it('adds the begin-of-text token by default where the post-processor does', () => {
    const stories = loadTokenizer('stories260K');
    expect(stories.encode('Once upon a time')).toEqual([1, 403, 407, 261, 378]);
    expect(stories.encode('Once upon a time', { addSpecialTokens: false })).toEqual([403, 407, 261, 378]);
    expect(stories.encode('')).toEqual([1]);
    expect(loadTokenizer('starter').encode('')).toEqual([]);
  });

  it('reads special tokens in the text as one id', () => {
    expect(loadTokenizer('starter').encode('<|im_start|><|im_end|><|endoftext|>')).toEqual([
      8190, 8191, 8189,
    ]);
  });

  it('takes U+0085 for a space and U+FEFF for none, as the reference implementation does', () => {
    const gpt2 = loadTokenizer('gpt2');
    const pieces = (text: string) => gpt2.encode(text).map((id) => gpt2.pieceOf(id));
    expect(pieces("\u0085's")).toEqual(['Â', 'ħ', "'s"]);
    expect(pieces('  \uFEFF')).toEqual(['Ġ', 'Ġï', '»', '¿']);
  });

  it('keeps the text between the matches of an inverted Split', () => {
    const root = structuredClone(valid);
    root.pre_tokenizer = { type: 'Split', pattern: { String: 'b' }, behavior: 'Isolated', invert: true };
    const tokenizer = Tokenizer.parse({ tokenizer: JSON.stringify(root), config: null });
    expect(tokenizer.encode('abc')).toEqual([0, 1, 2]);
  });

  it('knows its tokens', () => {
    const starter = loadTokenizer('starter');
    expect(starter.vocabSize).toBe(8192);
    expect(starter.eosId).toBe(8191);
    expect(starter.bosId).toBeNull();
    expect([...starter.specialIds].sort()).toEqual([8189, 8190, 8191]);
    expect(starter.idOf('<|im_end|>')).toBe(8191);
    expect(starter.idOf('no such token')).toBeNull();
    expect(starter.pieceOf(8190)).toBe('<|im_start|>');
    expect(starter.pieceOf(8192)).toBeNull();
    expect(starter.warnings).toEqual([]);
    const stories = loadTokenizer('stories260K');
    expect([stories.bosId, stories.eosId, stories.vocabSize]).toEqual([1, 2, 512]);
    expect(loadTokenizer('phi-3-mini').specialIds.has(2)).toBe(false);
    expect(loadTokenizer('phi-3-mini').addedIds.has(2)).toBe(true);
  });
});

describe('Tokenizer.parse with broken files', () => {
  const folders = listFixtures('malformed');

  it('has the nine fixtures', () => {
    expect(folders.length).toBe(9);
  });

  const reasons: Record<string, string> = {
    'tokenizer-bad-regex': 'pre_tokenizer.pattern does not compile',
    'tokenizer-duplicate-id': 'the tokens "b" and "d" share the id 1',
    'tokenizer-id-beyond-embedding': 'the token "zz" has the id 100000, but the model has 64 embeddings',
    'tokenizer-invalid-json': 'is not valid JSON',
    'tokenizer-merge-not-in-vocab': 'merge 1 needs "bc", which is not in the vocabulary',
    'tokenizer-no-model': 'has no model',
    'tokenizer-unknown-model': 'model type "Oracle" is not known',
    'tokenizer-unknown-pretokenizer': 'pre_tokenizer has the type "Slicer", which is not supported',
  };

  it.each(folders)('%s', (folder) => {
    const { expect: outcome } = JSON.parse(readFixture(`malformed/${folder}/expect.json`));
    const error = parseError(readFixture(`malformed/${folder}/tokenizer.json`));
    if (outcome === 'ok') {
      expect(error).toBeNull();
      return;
    }
    expect(error?.code).toBe('bad-tokenizer');
    expect(error?.message).toContain('tokenizer.json: ');
    expect(error?.message).toContain(reasons[folder] ?? 'a reason for this folder');
    expect(error?.remedy).not.toBe('');
  });

  const edits: [string, (root: typeof valid) => void, string][] = [
    ['a fractional id', (root) => (root.model.vocab.a = 0.5), 'the token "a" has the id 0.5'],
    ['a negative id', (root) => (root.model.vocab.a = -1), 'the token "a" has the id -1'],
    ['a merge of three', (root) => (root.model.merges = ['a b c']), 'merge 0 is not a pair'],
    ['merges in two spellings', (root) => root.model.merges.push(['a', 'b']), 'not written like the first'],
    ['no merges', (root) => (root.model.merges = null), 'model.merges must be a list'],
    ['an empty vocabulary', (root) => (root.model.vocab = {}), 'model.vocab is empty'],
    [
      'marked pieces',
      (root) => (root.model.end_of_word_suffix = '</w>'),
      'model.end_of_word_suffix is "</w>"',
    ],
    ['an unknown decoder', (root) => (root.decoder = { type: 'Magic' }), 'decoder has the type "Magic"'],
    [
      'an unknown normalizer',
      (root) => (root.normalizer = { type: 'Rot13' }),
      'normalizer has the type "Rot13"',
    ],
    [
      'a bad regex inside a Sequence',
      (root) =>
        (root.normalizer = {
          type: 'Sequence',
          normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { Regex: '[' }, content: '' }],
        }),
      'normalizer.normalizers[1].pattern does not compile',
    ],
    [
      'a post-processor that adds an unknown token',
      (root) =>
        (root.post_processor = {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>', type_id: 0 } }],
        }),
      'adds the token "<s>", which does not exist',
    ],
    [
      'an added token with two ids',
      (root) => (root.added_tokens = [{ id: 9, content: 'a' }]),
      'the token "a" has the ids 0 and 9',
    ],
    [
      'two added tokens with one id',
      (root) =>
        (root.added_tokens = [
          { id: 9, content: '<x>' },
          { id: 9, content: '<y>' },
        ]),
      'the tokens "<x>" and "<y>" share the id 9',
    ],
  ];

  it.each(edits)('%s', (_, edit, reason) => {
    const root = structuredClone(valid);
    edit(root);
    const error = parseError(JSON.stringify(root));
    expect(error?.code).toBe('bad-tokenizer');
    expect(error?.message).toContain(reason);
  });

  it('says what is there instead of JSON', () => {
    expect(parseError('<!doctype html><p>404')?.message).toBe('tokenizer.json: is a web page, not JSON');
    expect(parseError('version https://git-lfs.github.com/spec/v1\n')?.message).toContain('Git LFS pointer');
    expect(parseError('[]')?.message).toBe('tokenizer.json: must hold a JSON object');
    expect(parseError(JSON.stringify(valid), '{')?.message).toContain(
      'tokenizer_config.json: is not valid JSON',
    );
    expect(parseError(JSON.stringify(valid), '{"chat_template": 3}')?.message).toContain(
      'chat_template must be',
    );
  });

  it('reads an added token beyond the embeddings as text, with a warning', () => {
    const starter = {
      tokenizer: readStarter('tokenizer.json'),
      config: readStarter('tokenizer_config.json'),
    };
    const tokenizer = Tokenizer.parse(starter, 8191);
    expect(tokenizer.warnings.length).toBe(2);
    expect(tokenizer.warnings[0]).toContain('"<|im_end|>" (id 8191) is beyond the model\'s 8191 embeddings');
    expect(tokenizer.warnings[1]).toContain('eos_token is "<|im_end|>", which is not in the vocabulary');
    expect(tokenizer.eosId).toBeNull();
    const ids = tokenizer.encode('<|im_start|>hi<|im_end|>');
    expect(ids[0]).toBe(8190);
    expect(Math.max(...ids.slice(1))).toBeLessThan(8189);
  });

  it('takes added tokens that only tokenizer_config.json knows', () => {
    const config = JSON.stringify({ added_tokens_decoder: { 7: { content: '<think>', special: false } } });
    const tokenizer = Tokenizer.parse({ tokenizer: JSON.stringify(valid), config });
    expect(tokenizer.encode('ab<think>c')).toEqual([3, 7, 2]);
    expect(tokenizer.specialIds.size).toBe(0);
  });
});

import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Detokenizer, type DetokenizerOptions } from '../../src/chat/detokenizer';
import { Tokenizer } from '../../src/chat/tokenizer';
import {
  loadTokenizer,
  readFixture,
  readStarter,
  readTexts,
  TOKENIZER_NAMES,
  type TokenizerName,
} from '../fixtures/tokenizers/load';

const libraries = new Map<TokenizerName, LibraryTokenizer>();

/** What the library makes of all ids at once. */
function decodeAll(name: TokenizerName, ids: readonly number[], skipSpecialTokens: boolean): string {
  const texts = readTexts(name);
  const library =
    libraries.get(name) ??
    new LibraryTokenizer(JSON.parse(texts.tokenizer), JSON.parse(texts.config ?? '{}'));
  libraries.set(name, library);
  if (ids.length === 0) return '';
  return library.decode([...ids], {
    skip_special_tokens: skipSpecialTokens,
    clean_up_tokenization_spaces: false,
  });
}

/** Deltas of the ids cut into chunks of the given sizes, one at a time when they run out. */
function stream(
  tokenizer: Tokenizer,
  ids: readonly number[],
  sizes: readonly number[] = [],
  options: DetokenizerOptions = {},
): string[] {
  const detokenizer = new Detokenizer(tokenizer, options);
  const deltas: string[] = [];
  let at = 0;
  for (let chunk = 0; at < ids.length; chunk++) {
    const size = sizes[chunk] ?? 1;
    deltas.push(detokenizer.push(ids.slice(at, at + size)));
    at += size;
  }
  deltas.push(detokenizer.flush());
  return deltas;
}

const TEXTS = [
  'Hello, world! How are you ?',
  '你好，世界！我是一个在浏览器里运行的小模型。',
  '👩‍👩‍👧‍👦 and 🏳️‍🌈 and 😶‍🌫️, 🇨🇳 flags',
  'def f(x):\n\treturn {"a": [x ** 2 , "é"]}  # naïve\n\n\n',
  '日本語のテキストと한국어 텍스트 нещо на Български',
  '  two  spaces   three ',
  'a\u0301 combining, \u200B zero width, \uFEFF mark, \u{10FFFF} last, \0 nul',
];

/** Texts of real characters, joined at random. */
const anyText = fc
  .array(
    fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' })),
    {
      maxLength: 4,
    },
  )
  .map((parts) => parts.join(''));

const anySizes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 20 });

interface ReferenceCase {
  readonly ids: readonly number[];
  readonly decoded: string;
}

const reference = JSON.parse(readFixture('reference_ids.json')) as Record<string, readonly ReferenceCase[]>;

describe.each(TOKENIZER_NAMES)('Detokenizer of %s', (name) => {
  it('gives the reference texts', () => {
    const cases =
      reference[name] ??
      (JSON.parse(readStarter('expected.json')) as StarterExpected).prompts.map(starterCase);
    for (const { ids, decoded } of cases)
      expect(stream(loadTokenizer(name), ids, [], { skipSpecialTokens: false }).join('')).toBe(decoded);
  });

  it('streams what the library decodes at once, whatever the text and the chunks', () => {
    const tokenizer = loadTokenizer(name);
    fc.assert(
      fc.property(anyText, anySizes, fc.boolean(), (text, sizes, skipSpecialTokens) => {
        const ids = tokenizer.encode(text, { addSpecialTokens: false });
        const deltas = stream(tokenizer, ids, sizes, { skipSpecialTokens });
        expect(deltas.join('')).toBe(decodeAll(name, ids, skipSpecialTokens));
      }),
      { numRuns: 60 },
    );
  });

  it('streams what the library decodes at once, even for random ids', () => {
    const tokenizer = loadTokenizer(name);
    const anyId = fc
      .integer({ min: 0, max: tokenizer.vocabSize - 1 })
      .filter((id) => tokenizer.pieceOf(id) !== null);
    // Byte pieces and added tokens lie at the ends of the id range.
    const edgeId = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.constantFrom(...tokenizer.addedIds),
      fc.constantFrom(tokenizer.vocabSize - 1),
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyId, edgeId), { maxLength: 40 }),
        anySizes,
        fc.boolean(),
        (ids, sizes, skip) => {
          const deltas = stream(tokenizer, ids, sizes, { skipSpecialTokens: skip });
          expect(deltas.join('')).toBe(decodeAll(name, ids, skip));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('never emits half a character', () => {
    const tokenizer = loadTokenizer(name);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TEXTS), { maxLength: 3 }), (parts) => {
        const text = parts.join('');
        for (const delta of stream(tokenizer, tokenizer.encode(text, { addSpecialTokens: false }))) {
          expect(delta).not.toContain('\uFFFD');
          expect(delta).toBe(delta.toWellFormed?.() ?? delta);
        }
      }),
      { numRuns: 20 },
    );
  });
});

interface StarterExpected {
  readonly prompts: readonly { greedy_ids: readonly number[]; eos_index: number; text_until_eos: string }[];
}

function starterCase({
  greedy_ids,
  eos_index,
  text_until_eos,
}: StarterExpected['prompts'][number]): ReferenceCase {
  return {
    ids: eos_index < 0 ? greedy_ids : greedy_ids.slice(0, eos_index ?? undefined),
    decoded: text_until_eos,
  };
}

describe('Detokenizer', () => {
  it('holds the bytes of an emoji back until the last one', () => {
    const stories = loadTokenizer('stories260K');
    const ids = stories.encode('a🦙b', { addSpecialTokens: false });
    expect(stream(stories, ids)).toEqual(['', 'a', '', '', '', '🦙', 'b', '']);
  });

  it('ends an unfinished character at the next token or at the end', () => {
    const stories = loadTokenizer('stories260K');
    const [byte] = [stories.idOf('<0xF0>')];
    if (byte === null || byte === undefined) throw new Error('the fixture has byte pieces');
    const letter = stories.encode('ab', { addSpecialTokens: false }).slice(-1);
    expect(stream(stories, [byte, ...letter])).toEqual(['', '\uFFFDb', '']);
    expect(stream(stories, [byte])).toEqual(['', '\uFFFD']);
  });

  it('does not break a character at a skipped special token', () => {
    const starter = loadTokenizer('starter');
    const ids = starter.encode('🦙');
    expect(ids.length).toBeGreaterThan(1);
    expect(
      stream(
        starter,
        ids.flatMap((id) => [8190, id]),
      ).join(''),
    ).toBe('🦙');
  });

  it('cuts the first space of a text but not of a continuation', () => {
    const phi = loadTokenizer('phi-3-mini');
    const ids = phi.encode('there was', { addSpecialTokens: false });
    expect(stream(phi, ids).join('')).toBe('there was');
    expect(stream(phi, ids, [], { continuesText: true }).join('')).toBe(' there was');
  });

  it('shows added tokens that are not special and hides special ones', () => {
    const phi = loadTokenizer('phi-3-mini');
    const ids = [...phi.encode('a', { addSpecialTokens: false }), 2, 32000];
    expect(stream(phi, ids).join('')).toBe('a</s>');
    expect(stream(phi, ids, [], { skipSpecialTokens: false }).join('')).toBe('a</s><|endoftext|>');
  });

  it('has no text for ids without a token', () => {
    expect(stream(loadTokenizer('phi-3-mini'), [32063]).join('')).toBe('');
  });

  it('reads Metaspace, word and unsupported decoders', () => {
    const root = JSON.parse(readFixture('malformed/tokenizer-valid/tokenizer.json'));
    root.model.vocab = { '\u2581a': 0, b: 1, '\u2581': 2 };
    root.model.merges = [];
    const parse = (decoder: unknown) =>
      Tokenizer.parse({ tokenizer: JSON.stringify({ ...root, decoder }), config: null });
    expect(stream(parse({ type: 'Metaspace', replacement: '\u2581' }), [0, 1, 0]).join('')).toBe('ab a');
    expect(stream(parse(null), [1, 1]).join('')).toBe('b b');
    expect(() => parse({ type: 'Strip', content: ' ', start: 0, stop: 1 })).toThrow(/cuts from the end/);
    const late = [{ type: 'Fuse' }, { type: 'Replace', pattern: { String: 'a' }, content: 'b' }];
    expect(() => parse({ type: 'Sequence', decoders: late })).toThrow(/decoders\[1\] comes after/);
    const mixed = [{ type: 'ByteLevel' }, { type: 'ByteFallback' }];
    expect(() => parse({ type: 'Sequence', decoders: mixed })).toThrow(/mixes ByteLevel/);
  });

  it('takes the same time for each token of a long text', () => {
    const starter = loadTokenizer('starter');
    const detokenizer = new Detokenizer(starter);
    const ids = starter.encode(TEXTS.join('\n'));
    let length = 0;
    for (let round = 0; round < 1000; round++) for (const id of ids) length += detokenizer.push([id]).length;
    expect(length).toBe(1000 * TEXTS.join('\n').length);
  });
});

import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
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

// Reading a large vocabulary twice takes seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const libraries = new Map<TokenizerName, LibraryTokenizer>();

function loadLibrary(name: TokenizerName): LibraryTokenizer {
  const known = libraries.get(name);
  if (known !== undefined) return known;
  const { tokenizer, config } = readTexts(name);
  const library = new LibraryTokenizer(JSON.parse(tokenizer), JSON.parse(config ?? '{}'));
  libraries.set(name, library);
  return library;
}

/**
 * What the library makes of all ids at once. U+FEFF is left out of comparisons: the library loses it where it is
 * made of byte pieces, the reference implementation and tabmind keep it.
 */
function decodeAll(name: TokenizerName, ids: readonly number[], skipSpecialTokens: boolean): string {
  const options = { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false };
  return ids.length === 0 ? '' : loadLibrary(name).decode([...ids], options);
}

function withoutMarks(text: string): string {
  return text.replaceAll('\uFEFF', '');
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
        expect(withoutMarks(deltas.join(''))).toBe(withoutMarks(decodeAll(name, ids, skipSpecialTokens)));
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
          expect(withoutMarks(deltas.join(''))).toBe(withoutMarks(decodeAll(name, ids, skip)));
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
          expect(delta).toBe(delta.toWellFormed());
        }
      }),
      { numRuns: 20 },
    );
  });
});

interface StarterExpected {
  readonly prompts: readonly {
    greedy_ids: readonly number[];
    eos_index: number | null;
    text_until_eos: string;
  }[];
}

function starterCase({
  greedy_ids,
  eos_index,
  text_until_eos,
}: StarterExpected['prompts'][number]): ReferenceCase {
  return {
    ids: greedy_ids.slice(0, eos_index ?? greedy_ids.length),
    decoded: text_until_eos,
  };
}

describe('Detokenizer', () => {
  it('holds the bytes of an emoji back until the last one', () => {
    const stories = loadTokenizer('stories260K');
    const ids = stories.encode('a🦙b', { addSpecialTokens: false });
    expect(stream(stories, ids)).toEqual(['a', '', '', '', '🦙', 'b', '']);
  });

  it('ends an unfinished character at the next token or at the end', () => {
    const stories = loadTokenizer('stories260K');
    const [byte] = [stories.idOf('<0xF0>')];
    if (byte === null || byte === undefined) throw new Error('the fixture has byte pieces');
    const letter = stories.encode('ab', { addSpecialTokens: false }).slice(-1);
    expect(stream(stories, [byte, ...letter])).toEqual(['', '\uFFFDb', '']);
    expect(stream(stories, [byte])).toEqual(['', '\uFFFD']);
  });

  it('keeps a byte order mark', () => {
    const stories = loadTokenizer('stories260K');
    expect(stream(stories, stories.encode('\uFEFFa\uFEFF', { addSpecialTokens: false })).join('')).toBe(
      '\uFEFFa\uFEFF',
    );
    const starter = loadTokenizer('starter');
    expect(stream(starter, starter.encode('\uFEFFa\uFEFF')).join('')).toBe('\uFEFFa\uFEFF');
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
    const replace = { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' };
    const strip = { type: 'Strip', content: ' ', start: 3, stop: 0 };
    const chain = parse({ type: 'Sequence', decoders: [replace, { type: 'Fuse' }, strip] });
    expect(stream(chain, [2, 2, 2, 2, 1, 0])).toEqual(['', '', '', ' ', 'b', ' a', '']);
    expect(stream(chain, [2, 1, 2])).toEqual(['', 'b', ' ', '']);
    const late = [{ type: 'Fuse' }, { type: 'Replace', pattern: { String: 'a' }, content: 'b' }];
    expect(() => parse({ type: 'Sequence', decoders: late })).toThrow(/decoders\[1\] comes after/);
    const mixed = [{ type: 'ByteLevel' }, { type: 'ByteFallback' }];
    expect(() => parse({ type: 'Sequence', decoders: mixed })).toThrow(/mixes ByteLevel/);
  });

  it('does not slow down as the text grows', () => {
    const starter = loadTokenizer('starter');
    const detokenizer = new Detokenizer(starter);
    const text = TEXTS.join('\n').normalize('NFC');
    const ids = starter.encode(text);
    let length = 0;
    // Decoding the whole text again for each of these 220,000 tokens would take minutes.
    for (let round = 0; round < 1000; round++) for (const id of ids) length += detokenizer.push([id]).length;
    expect(length).toBe(1000 * text.length);
  });
});

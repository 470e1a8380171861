import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growth } from '../../web/markdown/block-growth';
import { BlockStream } from '../../web/markdown/block-stream';
import { completeSyntax } from '../../web/markdown/syntax';

/** HTML of every block, as a view would draw it. */
const drawn = (stream: BlockStream, source: string, isStreaming: boolean): readonly string[] =>
  stream.update(source, isStreaming).map(({ token }) => completeSyntax.html(token).trim());

const whole = (source: string): readonly string[] => drawn(new BlockStream(), source, false);

const PIECES = [
  ...[
    '# Heading\n',
    'plain text ',
    '**bold** ',
    '*it',
    '*',
    '\n',
    '\n\n',
    '- item\n',
    '1. one\n',
    '> quote\n',
  ],
  ...[
    '```js\n',
    'let x = 1;\n',
    '```\n',
    '| a | b |\n|---|---|\n| 1 | 2 |\n',
    '$x^2$ ',
    '$$\nx\n$$\n',
    '\\[y\\]\n',
  ],
  ...[
    '[ref] ',
    '[ref]: https://example.org\n',
    '<b>html</b> ',
    '<div>\n',
    '</div>\n',
    '    indented\n',
    '---\n',
  ],
  ...['\r\n', '\t', '- [ ] task\n', '~~~\n', 'https://example.org ', '&amp; ', '![i](https://x.org/y.png) '],
];
const document = fc.array(fc.constantFrom(...PIECES), { maxLength: 24 }).map((pieces) => pieces.join(''));

describe('a text that streams', () => {
  it('ends as the same text drawn at once, however it was cut', () => {
    fc.assert(
      fc.property(document, fc.array(fc.nat(40), { maxLength: 30 }), (source, steps) => {
        const stream = new BlockStream();
        let end = 0;
        for (const step of steps) {
          end = Math.min(source.length, end + step);
          stream.update(source.slice(0, end), true);
        }
        expect(drawn(stream, source, false)).toEqual(whole(source));
      }),
      { numRuns: 400 },
    );
  });

  it('is read from the last blocks on, and settled blocks stay the same objects', () => {
    const stream = new BlockStream();
    const source = Array.from({ length: 50 }, (_, i) => `Paragraph ${i}.\n\n`).join('');
    const before = stream.update(source, true);
    const after = stream.update(`${source}And more`, true);
    expect(before).toHaveLength(50);
    expect(after).toHaveLength(51);
    for (const index of [0, 20, 47]) expect(after[index]?.token).toBe(before[index]?.token);
    expect(after[49]?.token).not.toBe(before[49]?.token);
  });

  it('joins a list whose next item begins after a blank line', () => {
    const stream = new BlockStream();
    const source = 'Intro\n\n- a\n\n- b\n\n- c';
    let blocks: readonly string[] = [];
    for (let end = 1; end <= source.length; end++) blocks = drawn(stream, source.slice(0, end), true);
    expect(blocks).toHaveLength(2);
    expect(blocks[1]?.match(/<li>/g)).toHaveLength(3);
  });

  it('resolves a reference that is defined after its use', () => {
    const stream = new BlockStream();
    const before = 'See [ref].\n\nsecond\n\nthird\n\nfourth\n\n';
    expect(drawn(stream, before, true)[0]).toBe('<p>See [ref].</p>');
    expect(drawn(stream, `${before}[ref]: https://example.org\n`, true)[0]).toContain(
      'href="https://example.org"',
    );
  });

  it('starts anew when the text is another one', () => {
    const stream = new BlockStream();
    stream.update('one\n\ntwo\n\nthree\n\nfour', true);
    expect(drawn(stream, 'other', true)).toEqual(['<p>other</p>']);
  });
});

describe('a fence', () => {
  const closedness = (source: string, isStreaming = true) =>
    new BlockStream().update(source, isStreaming).map(({ isClosed }) => isClosed);

  it.each([
    ['```js\nlet a', [false]],
    ['```js\nlet a;\n```', [true]],
    ['```js\nlet a;\n```\n', [true]],
    ['~~~\na\n~~~\n\ntext', [true, true]],
    ['    indented', [true]],
  ])('%j', (source, expected) => {
    expect(closedness(source)).toEqual(expected);
  });

  it('is closed by the end of the text', () => {
    expect(closedness('```js\nlet a', false)).toEqual([true]);
  });
});

describe('the growth of a block', () => {
  const tokenOf = (source: string) => {
    const [block] = new BlockStream().update(source, true);
    if (block === undefined) throw new Error(`nothing is shown of ${source}`);
    return block.token;
  };
  const from = (before: string, after: string) => growth(tokenOf(before), tokenOf(after))?.from ?? null;

  it.each([
    ['- a\n- b', '- a\n- b c', 1],
    ['- a\n- b', '- a\n- b\n- c', 2],
    ['1. a\n2. b\n', '1. a\n2. b\n3. c', 2],
    ['| a |\n|---|\n| 1 |\n| 2', '| a |\n|---|\n| 1 |\n| 2 |\n| 3', 2],
    // the first item may become loose, which draws all items differently
    ['- a\n- b', '- a\n- b\n\n- c', null],
    ['- a', '- b', null],
    ['- a', '1. a', null],
    ['- a', 'a', null],
    ['| a |\n|---|\n| 1 |', '| b |\n|---|\n| 1 |', null],
  ])('%j to %j starts at %j', (before, after, expected) => {
    expect(from(before, after)).toBe(expected);
  });

  it('draws only what is new', () => {
    const grown = growth(tokenOf('- a\n- b'), tokenOf('- a\n- b\n- c'));
    expect(grown && completeSyntax.html(grown.rest).trim()).toBe('<ul>\n<li>c</li>\n</ul>');
  });
});

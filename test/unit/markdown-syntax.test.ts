import { describe, expect, it } from 'vitest';
import { webAddress } from '../../web/markdown/address';
import { inlineMath } from '../../web/markdown/math-syntax';
import { completeSyntax, fenceLanguage, streamingSyntax } from '../../web/markdown/syntax';

const html = (source: string): string =>
  completeSyntax
    .lex(source, {})
    .map((token) => completeSyntax.html(token))
    .join('')
    .trim();

const formulas = (source: string): readonly string[] =>
  [...html(source).matchAll(/data-math="(\w+)">([^<]*)</g)].map(([, kind, tex]) => `${kind}: ${tex}`);

describe('formulas', () => {
  it.each([
    ['So $x^2$ it is', ['inline: x^2']],
    ['$a_b$ and $c_d$', ['inline: a_b', 'inline: c_d']],
    ['\\(a*b\\) and *c*', ['inline: a*b']],
    ['$$\n\\frac{1}{2}\n$$', ['block: \\frac{1}{2}']],
    ['\\[ x < y \\]', ['block: x &lt; y']],
    ['Here: $$x$$ done', ['block: x']],
    ['text\n$$\na\n\nb\n$$\nmore', ['block: a\n\nb']],
    ['- item $x$\n- \\(y\\)', ['inline: x', 'inline: y']],
    ['| $x$ | $y$ |\n|--|--|\n| $z$ | 1 |', ['inline: x', 'inline: y', 'inline: z']],
    ['**$x$**', ['inline: x']],
    ['值为$x$元', []],
    ['$5$', ['inline: 5']],
    ['$3 \\times 4$', ['inline: 3 \\times 4']],
  ])('%j', (source, expected) => {
    expect(formulas(source)).toEqual(expected);
  });

  it.each([
    'It costs $5 and $6.',
    'between $5/month and $10/month',
    'from $5-$6 or 7$',
    'US$5 and CA$6$',
    'either $5 or 10$.',
    '$ 5 and 6 $',
    'a \\$5 and b \\$6',
    'code `$x$` here',
    '```\n$x$\n```',
    '$20k and 30$ more',
    'a $ b',
    '$',
    '$$',
  ])('%j has none', (source) => {
    expect(formulas(source)).toEqual([]);
  });

  it('keep their characters from markdown and from HTML', () => {
    expect(inlineMath('$<img src=x>$')?.tex).toBe('<img src=x>');
    expect(html('$<img src=x>$')).toContain('&lt;img src=x&gt;');
  });

  it('are open while their end is on its way, and plain text when it never comes', () => {
    const [token] = streamingSyntax.lex('$$\nx_1 * y_1', {});
    expect(token && streamingSyntax.html(token)).toContain('<span data-math="open">x_1 * y_1</span>');
    expect(html('$$\nx_1 * y_1')).not.toContain('data-math');
  });
});

describe('addresses', () => {
  it.each([
    ['https://a.example/b?c#d', 'https://a.example/b?c#d'],
    ['HTTP://A.example', 'http://a.example/'],
    ['mailto:a@b.example', 'mailto:a@b.example'],
  ])('%s is an address', (text, href) => {
    expect(webAddress(text)?.href).toBe(href);
  });

  it.each([
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    '/relative',
    '//host/x',
    '#anchor',
    '',
    'file:///etc/passwd',
    'blob:https://a.example/1',
    'https:relative',
  ])('%j is none', (text) => {
    expect(webAddress(text)).toBeNull();
  });
});

it.each([
  ['js', 'js'],
  [' python title="x"', 'python'],
  ['', ''],
  [undefined, ''],
])('the language of a fence with %j is %j', (info, language) => {
  expect(fenceLanguage(info)).toBe(language);
});

it('breaks lines where the text does', () => {
  expect(html('one\ntwo')).toBe('<p>one<br>two</p>');
});

describe('bold text', () => {
  it.each([
    ['**重点：**正文', '<strong>重点：</strong>正文'],
    ['他说**“你好”**。', '他说<strong>“你好”</strong>。'],
    ['用**显卡（GPU）**计算，**快**。', '用<strong>显卡（GPU）</strong>计算，<strong>快</strong>。'],
    ['**用 `a**b`**的', '<strong>用 <code>a**b</code></strong>的'],
    ['**In short:** take it', '<strong>In short:</strong> take it'],
  ])('%s', (source, expected) => {
    expect(html(source)).toBe(`<p>${expected}</p>`);
  });

  it.each(['a ** b，** c', '** 重点：**正文', '`**重点：**正文`', '**重点：\n\n**正文'])(
    'is not made of %s',
    (source) => {
      expect(html(source)).not.toContain('<strong>');
    },
  );
});

import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { expectAccessible } from './accessibility';
import { expect, test } from './markdown-page';

const SAMPLE = readFileSync(new URL('../markdown/sample.md', import.meta.url), 'utf8');

const answerOf = (page: Page): Locator => page.locator('#answer .answer-text');

/** In pieces of `pieceChars`, one a frame; 0: at once. */
const show = (page: Page, text: string, pieceChars = 0): Promise<void> =>
  page.evaluate(([source, size]) => markdownPage.show(source, size), [text, pieceChars] as const);

/** Line breaks between elements, of which a list that grew has fewer, are left out. */
const htmlOf = (page: Page): Promise<string> =>
  answerOf(page).evaluate((answer) => answer.innerHTML.replace(/>\s*\n\s*</g, '><'));

test.beforeEach(async ({ page, visit }) => {
  await expect(page).toHaveURL(visit.url);
});

test('a sample of everything is drawn, the same in pieces as at once', async ({ page, visit }) => {
  await show(page, SAMPLE, 9);
  const answer = answerOf(page);
  await expect(answer.getByRole('heading', { level: 2 }).first()).toHaveText('Sorting, in three ways');
  await expect(answer.getByRole('row')).toHaveCount(3);
  await expect(answer.getByRole('listitem')).toHaveCount(7);
  await expect(answer.locator('.code-language')).toHaveText(['python', 'typescript']);
  await expect(answer.locator('.hljs-keyword').first()).toBeVisible();
  await expect(answer.locator('math')).toHaveCount(12);
  await expect(answer).toContainText('costs between $5 and $6.');
  await expect(answer).toContainText('☑ read');
  const streamed = await htmlOf(page);
  await show(page, '');
  await show(page, SAMPLE);
  await expect(answer.locator('.hljs-keyword').first()).toBeVisible();
  await expect.poll(() => htmlOf(page)).toBe(streamed);
  expect(visit.problems).toEqual([]);
});

test('formulas keep the styles of their parts under a policy without inline styles', async ({
  page,
  visit,
}) => {
  await show(page, '$$\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix} \\quad \\color{red} x$$');
  const cell = answerOf(page).locator('mtd').first();
  await expect(cell).toHaveCSS('padding-right', /^[4-9]\.?\d*px$/);
  await expect(answerOf(page).locator('mi', { hasText: 'x' })).toHaveCSS('color', 'rgb(255, 0, 0)');
  // drawn again from the cache
  await show(page, 'Again: $$\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix} \\quad \\color{red} x$$');
  await expect(answerOf(page).locator('mi', { hasText: 'x' })).toHaveCSS('color', 'rgb(255, 0, 0)');
  expect(visit.problems).toEqual([]);
});

test('TeX that cannot be read is shown as it was written', async ({ page }) => {
  await show(page, 'Broken: $\\frac{1$ and $\\nonsense{x}$ and $x^2$');
  await expect(answerOf(page).locator('math')).toHaveCount(1);
  await expect(answerOf(page)).toContainText('\\frac{1');
});

test('links open elsewhere and safely; images are links that name their host', async ({ page }) => {
  await show(
    page,
    '[a](https://example.org/x) <https://b.example> ![A cat](https://cats.example/c.png) [rel](/x) [m](mailto:a@b.example)',
  );
  const links = answerOf(page).locator('a[href]');
  await expect(links).toHaveText(['a', 'https://b.example', 'A cat (image on cats.example)', 'm']);
  for (const link of await links.all()) {
    await expect(link).toHaveAttribute('target', '_blank');
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer');
  }
  await expect(answerOf(page).locator('img')).toHaveCount(0);
  await expect(answerOf(page).getByText('rel', { exact: true })).not.toHaveAttribute('href');
});

test('code is copied as it was written, and wraps when asked to', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const code = `const text = "${'long '.repeat(60)}";\n\n  // <b>&amp;</b>`;
  await show(page, `\`\`\`js\n${code}\n\`\`\``);
  const text = answerOf(page).locator('.code-text');
  await expect(text.locator('.hljs-keyword')).toHaveText('const');
  const overflow = () => text.evaluate((element) => element.scrollWidth - element.clientWidth);
  expect(await overflow()).toBeGreaterThan(100);
  await page.getByRole('button', { name: 'Wrap' }).click();
  expect(await overflow()).toBeLessThanOrEqual(0);
  await page.getByRole('button', { name: 'Copy code' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(code);
});

test('while a text grows, what is finished is not touched, and code is coloured when its fence closes', async ({
  page,
}) => {
  const grow = (text: string) =>
    page.evaluate((source) => {
      markdownPage.grow(source);
      return new Promise(requestAnimationFrame);
    }, text);
  const start = 'First **paragraph**.\n\nSecond.\n\n';
  await show(page, 'x');
  await grow(`${start}\`\`\`js\nlet a`);
  await answerOf(page)
    .locator('p')
    .first()
    .evaluate((first) => Object.assign(first, { isSame: true }));
  await answerOf(page)
    .locator('.code-block')
    .evaluate((block) => Object.assign(block, { isSame: true }));
  await grow(`${start}\`\`\`js\nlet a = 1;\nlet b`);
  await expect(answerOf(page).locator('.code-text')).toHaveText('let a = 1;\nlet b');
  await page.waitForTimeout(200);
  await expect(answerOf(page).locator('.hljs-keyword')).toHaveCount(0);
  await grow(`${start}\`\`\`js\nlet a = 1;\nlet b;\n\`\`\`\n\nThird`);
  await expect(answerOf(page).locator('.hljs-keyword')).toHaveCount(2);
  const isSame = (element: Element) => 'isSame' in element;
  expect(await answerOf(page).locator('p').first().evaluate(isSame)).toBe(true);
  expect(await answerOf(page).locator('.code-block').evaluate(isSame)).toBe(true);
});

test('a list and a table grow by what is new, and end as if drawn at once', async ({ page }) => {
  const items = Array.from(
    { length: 30 },
    (_, i) => `- item **${i}** $x_${i}$\n\n  \`\`\`js\n  let a = ${i};\n  \`\`\`\n`,
  );
  const rows = Array.from({ length: 30 }, (_, i) => `| ${i} | **x** $y_${i}$ |\n`);
  for (const text of [items.join(''), `| a | b |\n|--:|---|\n${rows.join('')}`, items.join('\n')]) {
    await show(page, '');
    await show(page, text, 60);
    await expect(answerOf(page).locator('math')).toHaveCount(30);
    const numColoured = text.includes('```') ? 30 : 0;
    await expect(answerOf(page).locator('.hljs-keyword')).toHaveCount(numColoured);
    const streamed = await htmlOf(page);
    await show(page, '');
    await show(page, text);
    await expect(answerOf(page).locator('.hljs-keyword')).toHaveCount(numColoured);
    await expect.poll(() => htmlOf(page)).toBe(streamed);
  }
});

test('the items that a list had stay the same elements while it grows', async ({ page }) => {
  await show(page, 'x');
  const first = answerOf(page).locator('li').first();
  await page.evaluate(async () => {
    markdownPage.grow('- one\n- two');
    await new Promise(requestAnimationFrame);
  });
  await first.evaluate((item) => Object.assign(item, { isSame: true }));
  await page.evaluate(() => markdownPage.grow('- one\n- two and more\n- three'));
  await expect(answerOf(page).locator('li')).toHaveText(['one', 'two and more', 'three']);
  expect(await first.evaluate((item) => 'isSame' in item)).toBe(true);
});

test('a text is plain until its renderer arrives, and stays so without it', async ({ page, visit }) => {
  await page.route('**/assets/markdown-view-*.js', (route) => route.abort());
  await page.goto(visit.url);
  await show(page, '# Not *yet*');
  await expect(answerOf(page)).toHaveText('# Not *yet*');
  await expect(answerOf(page).locator('h2')).toHaveCount(0);
});

test('a long history stays plain until it comes near', async ({ page }) => {
  await page.evaluate(() => {
    markdownPage.setHistory(Array.from({ length: 400 }, (_, i) => `**Message** ${i}\n\n- one\n- two`));
  });
  const last = page.locator('.turn.answer').nth(199);
  await expect(last.locator('strong')).toHaveCount(0);
  await last.scrollIntoViewIfNeeded();
  await expect(last.locator('strong')).toHaveText('Message');
});

for (const [name, viewport] of [
  ['phone', { width: 360, height: 740 }],
  ['desktop', { width: 1100, height: 900 }],
] as const) {
  test(`on a ${name} nothing is wider than the page, and axe finds nothing`, async ({ page }) => {
    await page.setViewportSize(viewport);
    await show(page, SAMPLE);
    await expect(answerOf(page).locator('.hljs-keyword').first()).toBeVisible();
    await expect(answerOf(page).locator('math').first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
    const wide = await answerOf(page).evaluate((answer) => answer.scrollWidth - answer.clientWidth);
    expect(wide).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  });
}

import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { ChatPage } from './chat-page';
import { importChats, openSettings, SEED } from './seed';

const titles = (page: Page) => page.locator('.history-name').allTextContents();
const item = (page: Page, title: string) => page.getByRole('button', { name: title, exact: true });
const texts = (page: Page) => page.locator('.turn-text').allTextContents();

async function choose(page: Page, title: string, action: string): Promise<void> {
  await page.getByRole('button', { name: `More for “${title}”` }).click();
  await page.getByRole('button', { name: action, exact: true }).click();
}

/** These tests need no answers, and no model to wait for. */
async function openWithoutModel(page: Page): Promise<ChatPage> {
  await page.route('**/models/starter/**', (route) => route.abort());
  const chat = new ChatPage(page);
  await chat.open();
  return chat;
}

test.beforeEach(async ({ page }) => {
  await openWithoutModel(page);
  await importChats(page, SEED);
  await expect(page.locator('.import-outcome')).toHaveText('3 chats read, 15 messages added.');
  await page.keyboard.press('Escape');
});

test('chats are listed by date, opened, renamed, pinned, and still there after a reload', async ({
  page,
}) => {
  expect(await page.locator('.history h3').allTextContents()).toEqual(['Today', 'Yesterday', 'Older']);
  await item(page, 'Names for a ginger cat').click();
  await expect(page.locator('.answer').last()).toContainText('Nothing more about Names');
  await choose(page, 'Names for a ginger cat', 'Rename');
  const field = page.getByLabel('Name of the chat');
  await expect(field).toBeFocused();
  await field.fill('Cats');
  await field.press('Enter');
  await expect(page.getByRole('button', { name: 'More for “Cats”' })).toBeFocused();
  await choose(page, 'Cats', 'Pin');
  expect(await titles(page)).toEqual(['Cats', 'Why is the sky blue?', '写一首关于秋天的诗']);
  await choose(page, 'Cats', 'Rename');
  await field.fill('Dogs');
  await field.press('Escape');
  await page.reload();
  await expect(item(page, 'Cats')).toHaveAttribute('aria-current', 'page');
  expect(await page.locator('.history h3').allTextContents()).toEqual(['Pinned', 'Today', 'Yesterday']);
  await expect(page.locator('.answer').last()).toContainText('Nothing more about Names');
});

/** Chats are read only when `release` is called: reading them looks at the locks of other tabs. */
async function holdReading(page: Page): Promise<{ readonly release: () => Promise<void> }> {
  await page.addInitScript(() => {
    const query = navigator.locks.query.bind(navigator.locks);
    const released = new Promise((resolve) => addEventListener('release', resolve));
    navigator.locks.query = () => released.then(query);
  });
  await page.reload();
  return { release: () => page.evaluate(() => void dispatchEvent(new Event('release'))) };
}

test('what is sent while a chat is being opened is said at its end, and stays typed until then', async ({
  page,
}) => {
  const { release } = await holdReading(page);
  const chat = new ChatPage(page);
  await item(page, 'Why is the sky blue?').click();
  await chat.send('Is it?');
  await chat.box.press('Enter');
  await chat.box.press('End');
  await chat.box.pressSequentially(' And more');
  await expect(chat.questions).toHaveCount(0);
  await release();
  await expect(chat.questions).toHaveText(['Why is the sky blue?', 'And what else?', 'Is it?']);
  await expect(chat.box).toHaveValue(' And more');
});

test('what is sent before the list of chats is there is said in the chat that was open', async ({ page }) => {
  await item(page, 'Why is the sky blue?').click();
  await expect(page.locator('.turn')).toHaveCount(4);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route('**/assets/chat-parts-*.js', async (route) => {
    await released;
    await route.continue();
  });
  await page.reload();
  const chat = new ChatPage(page);
  await chat.send('Is it?');
  await expect(chat.box).toHaveValue('');
  release();
  await expect(chat.questions).toHaveText(['Why is the sky blue?', 'And what else?', 'Is it?']);
  expect(await titles(page)).toContain('Why is the sky blue?');
});

test('a chat that is deleted while it is being opened is brought back whole', async ({ page }) => {
  const { release } = await holdReading(page);
  await item(page, 'Why is the sky blue?').click();
  await choose(page, 'Why is the sky blue?', 'Delete');
  await expect(item(page, 'Why is the sky blue?')).toHaveCount(0);
  await release();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.locator('.turn')).toHaveCount(4);
  await page.reload();
  await release();
  await item(page, 'Why is the sky blue?').click();
  await expect(page.locator('.turn')).toHaveCount(4);
});

test('branches are switched with the arrows, which keep the focus', async ({ page }) => {
  await item(page, 'Why is the sky blue?').click();
  const before = page.getByRole('button', { name: 'Previous version' });
  await expect(page.locator('.branch-at')).toHaveText('2 / 2');
  await expect(page.locator('.thinking')).toContainText('Thought for 1.5 s');
  await page.getByText('Tool call: look_up').click();
  await expect(page.locator('.tool-call-body')).toHaveText('{\n  "words": "<b>more</b>",\n  "limit": 3\n}');
  await before.focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('.branch-at')).toHaveText('1 / 2');
  await expect(before).toBeFocused();
  expect(await texts(page)).toEqual(['Why is the sky blue?', 'The first answer about Why is the sky blue?']);
  await page.getByRole('button', { name: 'Next version' }).click();
  await expect(page.locator('.turn')).toHaveCount(4);
  await before.click();
  await page.reload();
  await expect(page.locator('.branch-at')).toHaveText('1 / 2');
});

test('messages and chats are deleted, and brought back', async ({ page }) => {
  await item(page, 'Why is the sky blue?').click();
  const all = ['Why is the sky blue?', 'The better answer about Why is the sky blue?', 'And what else?'];
  await expect(page.locator('.turn')).toHaveCount(4);
  await page.locator('.question').last().hover();
  await page
    .locator('.question')
    .last()
    .getByRole('button', { name: 'Delete this and what follows' })
    .click();
  await expect(page.locator('.turn')).toHaveCount(2);
  const undo = page.getByRole('button', { name: 'Undo' });
  await expect(undo).toBeFocused();
  await undo.press('Enter');
  await expect(page.locator('.turn')).toHaveCount(4);
  expect((await texts(page)).slice(0, 3)).toEqual(all);
  await choose(page, 'Why is the sky blue?', 'Delete');
  await expect(page.locator('.turn')).toHaveCount(0);
  expect(await titles(page)).toHaveLength(2);
  await undo.click();
  await expect(page.locator('.turn')).toHaveCount(4);
  await choose(page, '写一首关于秋天的诗', 'Delete');
  await page.getByRole('region', { name: 'deleted' }).getByRole('button', { name: 'Close' }).click();
  await expect(page.locator('#message')).toBeFocused();
  await page.reload();
  await expect(page.locator('.turn')).toHaveCount(4);
  expect(await titles(page)).toEqual(['Why is the sky blue?', 'Names for a ginger cat']);
});

test('an answer is rewritten in place', async ({ page }) => {
  await item(page, 'Names for a ginger cat').click();
  const last = page.locator('.answer').last();
  await last.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Edit answer').fill('Clementine.');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(last.getByRole('button', { name: 'Edit' })).toBeFocused();
  await page.reload();
  await expect(last.locator('.turn-text')).toHaveText('Clementine.');
});

test('search finds titles and texts and leads there, by keyboard alone', async ({ page }) => {
  await page.keyboard.press('Control+k');
  const field = page.getByLabel('Words in titles and messages');
  await expect(field).toBeFocused();
  await page.keyboard.type('BETTER answer');
  await expect(page.getByRole('status').filter({ hasText: '3 found' })).toBeVisible();
  await field.fill('秋天');
  await expect(page.locator('.hit strong')).toHaveCount(1);
  // the newest message comes first, and the first version of the answer is on another branch
  await field.fill('FIRST ANSWER ABOUT 写');
  await expect(page.locator('.hit mark')).toHaveText(['first answer about 写']);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.locator('.branch-at')).toHaveText('1 / 2');
  await expect(page.locator('.turn-found')).toContainText('The first answer about 写一首关于秋天的诗');
  await expect(page.locator('.turn-found')).toBeFocused();
  await expect(page.locator('.turn-found')).toHaveCount(0);
  await expect(page.locator('.question').first()).toContainText('写一首关于秋天的诗');
  await page.keyboard.press('Control+k');
  await field.fill('zebra');
  await expect(page.getByText('Nothing found.')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+b');
  await expect(page.locator('.history')).toHaveCount(0);
  await page.keyboard.press('Control+b');
  await expect(page.locator('.history')).toBeVisible();
  await page.keyboard.press('Control+Shift+O');
  await expect(page.locator('.turn')).toHaveCount(0);
  await expect(page.locator('#message')).toBeFocused();
});

test('everything can be exported, wiped, and imported again', async ({ page }) => {
  await item(page, 'Why is the sky blue?').click();
  await openSettings(page, 'Data');
  await expect(page.locator('.hosts')).toContainText(new URL(page.url()).host);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'JSON' }).click();
  const path = await (await saved).path();
  await page.getByRole('button', { name: 'Delete all chats…' }).click();
  await expect(page.getByText('Delete 3 chats for good?')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Keep them' })).toBeFocused();
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await expect(page.getByRole('button', { name: 'Delete all chats…' })).toBeFocused();
  expect(await titles(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.reload();
  await expect(page.getByText('Your chats will be listed here.')).toBeVisible();
  await importChats(page, '{"format":"something else"}');
  await expect(page.locator('.import-outcome')).toContainText('no export of tabmind');
  await page.keyboard.press('Escape');
  await importChats(page, readFileSync(path, 'utf8'));
  await expect(page.locator('.import-outcome')).toHaveText('3 chats read, 15 messages added.');
  await page.keyboard.press('Escape');
  await item(page, 'Why is the sky blue?').click();
  await expect(page.locator('.branch-at')).toHaveText('2 / 2');
  await expect(page.locator('.turn')).toHaveCount(4);
  const markdown = page.waitForEvent('download');
  await choose(page, 'Why is the sky blue?', 'Export as Markdown');
  const file = await markdown;
  expect(file.suggestedFilename()).toBe('Why-is-the-sky-blue.md');
  expect(readFileSync(await file.path(), 'utf8')).toContain('The better answer about Why is the sky blue?');
});

test('two tabs see each other’s changes and undo none of them', async ({ page, context }) => {
  await item(page, 'Why is the sky blue?').click();
  const other = await context.newPage();
  await openWithoutModel(other);
  await item(other, 'Why is the sky blue?').click();
  await expect(other.locator('.turn')).toHaveCount(4);
  // both at once: one renames, the other rewrites
  await choose(other, 'Why is the sky blue?', 'Rename');
  const field = other.getByLabel('Name of the chat');
  await page.locator('.answer').last().getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Edit answer').fill('From the first tab.');
  await page.getByRole('button', { name: 'Save' }).click();
  await field.fill('Renamed in the second tab');
  await field.press('Enter');
  await expect(item(page, 'Renamed in the second tab')).toBeVisible();
  await expect(other.locator('.answer').last().locator('.turn-text')).toHaveText('From the first tab.');
  await choose(page, 'Renamed in the second tab', 'Delete');
  await expect(other.locator('.turn')).toHaveCount(0);
  await expect(other.locator('.history-name')).toHaveCount(2);
  await other.close();
});

test('when one tab deletes everything, the other shows nothing of it, and what is said there is stored', async ({
  page,
  context,
}) => {
  await item(page, 'Why is the sky blue?').click();
  await expect(page.locator('.turn')).toHaveCount(4);
  const other = await context.newPage();
  await openWithoutModel(other);
  await openSettings(other, 'Data');
  await other.getByRole('button', { name: 'Delete all chats…' }).click();
  await other.getByRole('button', { name: 'Delete for good' }).click();
  await expect(page.locator('.turn')).toHaveCount(0);
  await expect(page.locator('.history-name')).toHaveCount(0);
  await new ChatPage(page).send('Is it?');
  await expect(other.locator('.history-name')).toHaveText(['Is it?']);
  await page.reload();
  await expect(page.locator('.history-name')).toHaveText(['Is it?']);
  expect((await texts(page))[0]).toBe('Is it?');
  await other.close();
});

test('the list slides over the page on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const toggle = page.getByRole('button', { name: 'Show the list of chats' });
  await expect(page.locator('.history')).toHaveCount(0);
  await toggle.click();
  await item(page, 'Names for a ginger cat').click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.locator('.turn')).toHaveCount(4);
  expect(await new ChatPage(page).overflow()).toBeLessThanOrEqual(0);
  await toggle.click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(toggle).toBeFocused();
});

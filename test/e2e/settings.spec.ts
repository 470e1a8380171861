import { expect, test } from '@playwright/test';
import { ChatPage } from './chat-page';
import { importChats, openSettings, SEED } from './seed';

test.beforeEach(async ({ page }) => {
  await page.route('**/models/starter/**', (route) => route.abort());
});

test('sampling is set, checked, kept over a reload, and reset', async ({ page }) => {
  await new ChatPage(page).open({ greedy: false });
  await openSettings(page, 'Answers');
  const temperature = page.getByLabel('Temperature', { exact: true });
  const topK = page.getByLabel('Top-k', { exact: true });
  await temperature.fill('0.4');
  await topK.fill('12.5');
  await expect(topK).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Stop strings').fill('END\n\nSTOP');
  await page.reload();
  await openSettings(page, 'Answers');
  await expect(temperature).toHaveValue('0.4');
  await expect(topK).toHaveValue('');
  await expect(page.getByLabel('Stop strings')).toHaveValue('END\nSTOP');
  await page.getByRole('button', { name: 'Reset Temperature' }).click();
  await expect(temperature).toHaveValue('');
  await page.getByRole('button', { name: 'Reset all' }).click();
  const stored = await page.evaluate(() => localStorage.getItem('tabmind.sampling'));
  expect(JSON.parse(stored ?? '')).toEqual({ 'tabmind/starter': {} });
});

test('a system prompt belongs to its chat, and presets to all', async ({ page }) => {
  await new ChatPage(page).open();
  await importChats(page, SEED);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Why is the sky blue?', exact: true }).click();
  await openSettings(page, 'This chat');
  const prompt = page.getByRole('textbox', { name: /^System prompt/ });
  await page.getByRole('button', { name: 'Brief' }).click();
  await expect(prompt).toHaveValue(/as few words as possible/);
  await prompt.fill('You are a pirate.\nSay arr.');
  await page.getByRole('button', { name: 'Keep as preset' }).click();
  await page.keyboard.press('Escape');
  await page.reload();
  await openSettings(page, 'This chat');
  await expect(prompt).toHaveValue('You are a pirate.\nSay arr.');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Names for a ginger cat', exact: true }).click();
  await openSettings(page, 'This chat');
  await expect(prompt).toHaveValue('');
  await page.getByRole('button', { name: 'You are a pirate.', exact: true }).click();
  await expect(prompt).toHaveValue('You are a pirate.\nSay arr.');
  await page.getByRole('button', { name: 'Remove preset You are a pirate.' }).click();
  await expect(page.getByRole('button', { name: 'You are a pirate.', exact: true })).toHaveCount(0);
});

test('a slash offers prompts, and the person’s own are kept, changed and deleted', async ({ page }) => {
  const chat = new ChatPage(page);
  await chat.open();
  await openSettings(page, 'Prompts');
  await page.getByLabel('Name', { exact: true }).fill('Haiku');
  await page.getByLabel('Text', { exact: true }).fill('Write a haiku about ');
  await page.getByRole('button', { name: 'Save prompt' }).click();
  await page.getByRole('button', { name: 'Edit prompt Haiku' }).click();
  await page.getByLabel('Text', { exact: true }).fill('Write a short haiku about ');
  await page.getByRole('button', { name: 'Save prompt' }).click();
  // the form empties when the prompt is in the database
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('');
  await page.keyboard.press('Escape');
  await page.reload();
  await chat.box.focus();
  await page.keyboard.type('/');
  const options = page.getByRole('option');
  await expect(options.first()).toHaveText(/^Haiku/);
  await expect(options).toHaveCount(6);
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('option', { selected: true })).toHaveText(/^Summarize/);
  await page.keyboard.press('Escape');
  await expect(options).toHaveCount(0);
  await page.keyboard.type('h');
  await page.keyboard.press('Enter');
  await expect(chat.box).toHaveValue('Write a short haiku about ');
  await page.keyboard.type('rain');
  await expect(chat.box).toHaveValue('Write a short haiku about rain');
  await chat.box.fill('/review');
  await page.getByRole('option', { name: 'Review code' }).click();
  await expect(chat.box).toHaveValue(/^Find mistakes/);
  await expect(chat.box).toBeFocused();
  await chat.box.fill('/');
  await page.getByRole('button', { name: 'Manage prompts…' }).click();
  await page.getByRole('button', { name: 'Delete prompt Haiku' }).click();
  await expect(page.getByRole('button', { name: 'Edit prompt Haiku' })).toHaveCount(0);
});

test('the text size is chosen and kept', async ({ page }) => {
  await new ChatPage(page).open();
  const sizePx = () => page.evaluate(() => Number.parseFloat(getComputedStyle(document.body).fontSize));
  const normal = await sizePx();
  await openSettings(page, 'General');
  await page.getByRole('radio', { name: 'Large' }).check();
  expect(await sizePx()).toBeGreaterThan(normal);
  await page.reload();
  await expect(page.locator('#message')).toBeVisible();
  expect(await sizePx()).toBeGreaterThan(normal);
});

test('Ctrl+Enter can be the send key, and Enter a new line', async ({ page }) => {
  const chat = new ChatPage(page);
  await chat.open();
  await openSettings(page, 'General');
  await page.getByRole('radio', { name: 'Ctrl + Enter' }).check();
  await page.keyboard.press('Escape');
  await chat.box.fill('one');
  await chat.box.press('Enter');
  await chat.box.pressSequentially('two');
  await expect(chat.box).toHaveValue('one\ntwo');
  await expect(chat.questions).toHaveCount(0);
  await chat.box.press('Control+Enter');
  await expect(chat.questions).toHaveCount(1);
});

test('drafts are kept, each with its chat', async ({ page }) => {
  const chat = new ChatPage(page);
  await chat.open();
  await importChats(page, SEED);
  await page.keyboard.press('Escape');
  await chat.box.fill('a new thought');
  await page.getByRole('button', { name: 'Why is the sky blue?', exact: true }).click();
  await expect(chat.box).toHaveValue('');
  await chat.box.fill('half a question');
  await page.reload();
  await expect(chat.box).toHaveValue('half a question');
  await chat.newChatButton.click();
  await expect(chat.box).toHaveValue('a new thought');
  // a temporary chat takes the draft along, and text files as any other chat
  const temporary = page.getByRole('button', { name: 'Temporary chat' });
  await temporary.click();
  await expect(temporary).toHaveAttribute('aria-pressed', 'true');
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach text files' }).click();
  await (await chooser).setFiles([
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('Buy milk.') },
    { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: Buffer.from([0, 1]) },
  ]);
  await expect(page.locator('.attached-name')).toHaveText(['notes.txt']);
  await expect(page.locator('.attach-problem')).toHaveText(
    'photo.jpg is not a text file and was not attached.',
  );
  await expect(chat.box).toHaveValue('a new thought');
  const numListed = await page.locator('.history-name').count();
  await chat.box.press('Enter');
  await expect(page.locator('.attached')).toHaveCount(0);
  await page.locator('.question-file summary').click();
  await expect(page.locator('.question-file pre')).toHaveText('Buy milk.');
  await expect(page.locator('.history-name')).toHaveCount(numListed);
  await chat.newChatButton.click();
  await page.reload();
  await expect(page.locator('.history-name')).toHaveCount(numListed);
  await expect(page.locator('.turn')).toHaveCount(0);
});

test('tabs move with the arrow keys, and the dialog gives the focus back', async ({ page }) => {
  await new ChatPage(page).open();
  const button = page.getByRole('button', { name: 'Settings' });
  await button.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('tab', { name: 'General' })).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('tab', { name: 'Answers' })).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Escape');
  await expect(button).toBeFocused();
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
});

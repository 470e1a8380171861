import { type BrowserContext, expect, test } from '@playwright/test';
import { ChatPage } from './chat-page';
import { openSettings } from './seed';

// One visitor, one page, in order: the model is converted once and everything after builds on it.
test.describe
  .serial('chatting with the starter', () => {
    let context: BrowserContext;
    let chat: ChatPage;

    test.beforeAll(async ({ browser, baseURL }) => {
      context = await browser.newContext({ locale: 'en-US', ...(baseURL === undefined ? {} : { baseURL }) });
      await context.grantPermissions(['clipboard-read', 'clipboard-write']);
      chat = new ChatPage(await context.newPage());
      await chat.open();
    });

    test.afterAll(() => context.close());

    test('shows progress in bytes, then is ready', async () => {
      await expect(chat.page.getByRole('progressbar')).toBeVisible();
      await expect(chat.page.locator('.load-bytes')).toHaveText(/^[\d.,]+ [kMG]?B of [\d.,]+ [kMG]?B$/);
      await chat.ready();
      await expect(chat.page.getByRole('progressbar')).toHaveCount(0);
      await expect(chat.page.locator('.kv-blocks')).toContainText(/KV blocks 0 \/ [1-9]/);
    });

    test('answers a greeting and shows its numbers', async () => {
      expect(await chat.ask('Hi!')).toBe('Hello! Nice to meet you. What shall we talk about?');
      const numbers = chat.answers.last().locator('.numbers');
      await expect(numbers).toContainText(/[\d.,]+ tok\/s/);
      await expect(numbers).toContainText(/first word [\d.,]+ m?s/);
      await expect(chat.page.locator('.visually-hidden[role=status]')).toHaveText('The answer is complete');
      await chat.page.locator('.kv-blocks').click();
      const panel = chat.page.getByRole('dialog', { name: 'Engine' });
      await expect(panel).toContainText(/Graphics card\w+.*Arithmetic32 bits.*Weights[\d.]+ MB.*free/);
      await chat.page.keyboard.press('Escape');
    });

    test('remembers the turn before in a follow-up', async () => {
      await chat.newChatButton.click();
      await chat.ask('Hi, my name is Clara.');
      expect(await chat.ask('What is my name?')).toContain('Clara');
      await expect(chat.questions).toHaveCount(2);
    });

    test('new chat forgets the one before', async () => {
      await chat.newChatButton.click();
      await expect(chat.questions).toHaveCount(0);
      await expect(chat.box).toBeFocused();
      expect(await chat.ask('What is my name?')).not.toContain('Clara');
    });

    test('gives the exact greedy answers', async () => {
      await chat.newChatButton.click();
      await chat.page.getByRole('button', { name: 'What is the capital of France?' }).click();
      expect(await chat.answer()).toBe('The capital of France is Paris.');
    });

    test('answers a Chinese greeting in Chinese', async () => {
      await chat.newChatButton.click();
      expect(await chat.ask('你好')).toBe('你好！我是 tabmind 入门模型，一个在浏览器里运行的小模型。');
    });

    test('copies an answer', async () => {
      const shown = await chat.answer();
      await chat.answers.last().getByRole('button', { name: 'Copy answer' }).click();
      await expect(chat.answers.last().getByRole('button', { name: 'Copied' })).toBeVisible();
      expect(await chat.page.evaluate(() => navigator.clipboard.readText())).toBe(shown);
    });

    test('stops in the middle with Esc, goes on where it stopped, and answers again as a new version', async () => {
      await chat.newChatButton.click();
      await chat.send('Tell me a story about a fox');
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      await expect(chat.stopButton).toBeVisible();
      await chat.page.keyboard.press('Escape');
      await expect(chat.answers.last().getByText('Stopped')).toBeVisible();
      const stopped = await chat.lastWords();
      await expect(chat.page.locator('.kv-blocks')).toContainText(/KV blocks 0 \//);
      await chat.answers.last().getByRole('button', { name: 'Continue' }).click();
      await expect
        .poll(async () => (await chat.lastWords()).length, { timeout: 60_000 })
        .toBeGreaterThan(stopped.length);
      await chat.stopButton.click();
      await expect(chat.stopButton).toHaveCount(0);
      expect((await chat.lastWords()).startsWith(stopped)).toBe(true);
      await expect(chat.answers).toHaveCount(1);
      await chat.answers.last().getByRole('button', { name: 'Answer again' }).click();
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      await chat.stopButton.click();
      await expect(chat.page.locator('.branch-at')).toHaveText('2 / 2');
      await expect(chat.answers).toHaveCount(1);
    });

    test('a question is rewritten from the keyboard as a new branch, and the old one is kept', async () => {
      await chat.newChatButton.click();
      expect(await chat.ask('What is the capital of France?')).toBe('The capital of France is Paris.');
      await chat.box.press('ArrowUp');
      const editor = chat.page.getByLabel('Edit message');
      await expect(editor).toBeFocused();
      await editor.press('Escape');
      await expect(editor).toHaveCount(0);
      await chat.box.press('ArrowUp');
      await editor.fill('What is 27 + 15?');
      await editor.press('Enter');
      await expect(chat.questions).toHaveText([/^What is 27 \+ 15\?/]);
      expect(await chat.answer()).toBe('27 + 15 = 42.');
      await expect(chat.box).toBeFocused();
      await expect(chat.page.locator('.branch-at')).toHaveText('2 / 2');
      await chat.page.getByRole('button', { name: 'Previous version' }).click();
      await expect(chat.lastText).toHaveText('The capital of France is Paris.');
    });

    test('two chats answer at once, and the list shows which', async () => {
      const { page } = chat;
      await chat.newChatButton.click();
      await chat.send('Tell me a story about a dragon');
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      const before = await chat.lastWords();
      await chat.newChatButton.click();
      await expect(chat.questions).toHaveCount(0);
      await chat.send('What is 27 + 15?');
      await expect(page.getByRole('img', { name: 'Answering' })).toHaveCount(2);
      await expect(chat.lastText).toHaveText(/27/, { timeout: 60_000 });
      // the story went on meanwhile, and can be watched again
      await page.getByRole('button', { name: /^Tell me a story about a dragon/ }).click();
      await expect(chat.questions).toHaveText([/dragon/]);
      expect((await chat.lastWords()).length).toBeGreaterThan(before.length);
      await chat.stopButton.click();
      await chat.openChat('27 + 15');
      expect(await chat.answer()).toBe('27 + 15 = 42.');
    });

    test('offers the way back to the latest message', async () => {
      await chat.page.setViewportSize({ width: 900, height: 420 });
      for (const question of ['Who are you?', 'Hi!']) await chat.ask(question);
      const toLatest = chat.page.getByRole('button', { name: 'To the latest message' });
      await expect(toLatest).toHaveCount(0);
      await chat.page.locator('.transcript').hover();
      await chat.page.mouse.wheel(0, -2000);
      await expect(toLatest).toBeVisible();
      await toLatest.click();
      await expect(toLatest).toHaveCount(0);
      await expect(chat.answers.last()).toBeInViewport();
    });

    test('a reload in the middle of an answer keeps what was there, another tab sees it, and a second visit fetches no weights', async () => {
      // what the graphics card holds of the chat on screen is saved when the tab is hidden
      await chat.page.evaluate(() => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
        document.dispatchEvent(new Event('visibilitychange'));
        Reflect.deleteProperty(document, 'visibilityState');
      });
      await chat.newChatButton.click();
      await chat.send('Tell me a story about a fox');
      await expect.poll(async () => (await chat.lastWords()).length, { timeout: 60_000 }).toBeGreaterThan(30);
      const before = await chat.lastWords();
      // another tab watches it, and is the proof that it was stored
      const other = new ChatPage(await context.newPage());
      await other.page.route('**/models/starter/**', (route) => route.abort());
      await other.open();
      await other.page.locator('.history-item').first().locator('.history-title').click();
      await expect(other.answers.last()).toContainText('Being answered in another tab');
      await expect(other.lastText).toContainText(before);
      chat.requests.length = 0;
      const startedMs = Date.now();
      await chat.page.reload();
      await expect(chat.answers.last().getByText('Stopped')).toBeVisible();
      expect((await chat.lastWords()).startsWith(before)).toBe(true);
      await expect(other.answers.last().getByText('Stopped')).toBeVisible();
      await other.page.close();
      await chat.ready();
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(2);
      test.info().annotations.push({ type: 'second visit', description: `ready after ${seconds} s` });
      console.log(`second visit: ready after ${seconds} s`);
      expect(chat.requests.filter((request) => request.url().includes('.safetensors'))).toEqual([]);
      await chat.openChat('27 + 15');
      await chat.ask('Hi!');
      // of the four turns before this one
      await expect(chat.answers.last().locator('.numbers')).toContainText(
        /tokens, (?:[3-9]\d|\d{3}) of them known/,
      );
    });

    test('the settings reach the engine: a longest answer, and a context after one click', async () => {
      const { page } = chat;
      await chat.ready();
      await openSettings(page, 'Answers');
      const placeholder = (name: string) =>
        page.getByLabel(name, { exact: true }).getAttribute('placeholder');
      expect(await placeholder('Top-p')).toBe('0.9');
      expect(await placeholder('Repetition penalty')).toBe('1.05');
      expect(await placeholder('Longest answer, in tokens')).toBe('256');
      expect(await placeholder('Seed')).toBe('Random');
      await page.getByRole('spinbutton', { name: 'Longest answer, in tokens' }).fill('4');
      await page.getByRole('tab', { name: 'Memory' }).click();
      await page.getByLabel('Context length, in tokens').fill('256');
      await page.getByLabel('Context length, in tokens').press('Tab');
      await page.getByRole('radio', { name: '4 bits' }).check();
      await expect(page.locator('.room-then')).toContainText(/about [\d,]+ tokens in \d+ MiB/);
      await page.getByRole('button', { name: 'Reload the model' }).click();
      await page.keyboard.press('Escape');
      await chat.ready();
      await chat.newChatButton.click();
      await chat.ask('Tell me a story about a fox');
      const last = chat.answers.last();
      await expect(last.getByText('Reached the length limit')).toBeVisible();
      await expect(last.locator('.numbers-tokens')).toHaveText('4 tokens');
      await expect(page.getByRole('button', { name: /of 256 tokens of context used/ })).toBeVisible();
      await last.locator('.numbers summary').click();
      await expect(last.locator('.numbers')).toContainText(/Reading[\d.,]+ tok\/s/);
    });

    test('a chat that is too long is cut at the start when the person says so', async () => {
      const { page } = chat;
      await chat.box.fill('word '.repeat(300));
      await chat.box.press('Enter');
      await expect(page.locator('.error').getByText('This chat is too long for the model')).toBeVisible();
      await page.locator('.error').getByRole('button', { name: 'Memory settings' }).click();
      await expect(page.getByLabel('Context length, in tokens')).toHaveValue('256');
      await page.keyboard.press('Escape');
      await page.locator('.question').last().getByRole('button', { name: 'Edit' }).click();
      await page.getByLabel('Edit message').fill('word '.repeat(20));
      await page.getByLabel('Edit message').press('Enter');
      await chat.answer();
      await page.locator('.context').click();
      await page.getByRole('radio', { name: 'Leave out the oldest turns' }).check();
      await page.keyboard.press('Escape');
      for (let turn = 0; turn < 2; turn++) await chat.ask('more '.repeat(110));
      // both questions together would be more than three quarters of the context, beyond which turns are left out
      await expect(page.locator('.context')).toHaveAccessibleName(/^1\d\d of 256 tokens/);
    });

    test('an answer stops and is gone when another tab deletes all chats, and the next chat is answered and stored', async () => {
      await chat.newChatButton.click();
      await chat.send('Tell me a story about a dragon');
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      const other = new ChatPage(await context.newPage());
      await other.page.route('**/models/starter/**', (route) => route.abort());
      await other.open();
      await openSettings(other.page, 'Data');
      await other.page.getByRole('button', { name: 'Delete all chats…' }).click();
      await other.page.getByRole('button', { name: 'Delete for good' }).click();
      await expect(chat.answers).toHaveCount(0);
      await expect(chat.page.locator('.history-name')).toHaveCount(0);
      await expect(chat.stopButton).toHaveCount(0);
      expect(await chat.ask('Hi!')).toContain('Hello!');
      await expect(other.page.locator('.history-name')).toHaveText(['Hi!']);
      await other.page.reload();
      await expect(other.page.locator('.history-name')).toHaveText(['Hi!']);
      await other.page.close();
    });

    test('talked to nobody but its own server, and logged no error', async ({ baseURL }) => {
      const origin = new URL(baseURL ?? '').origin;
      const foreign = chat.requests
        .map((request) => new URL(request.url()))
        .filter((url) => url.origin !== origin && url.protocol !== 'data:' && url.protocol !== 'blob:');
      expect(chat.requests.length).toBeGreaterThan(0);
      expect(foreign.map(String)).toEqual([]);
      expect(chat.problems).toEqual([]);
    });
  });

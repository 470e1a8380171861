import { type BrowserContext, expect, test } from '@playwright/test';
import { ChatPage } from './chat-page';

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
      expect(await chat.ask('What is 27 + 15?')).toBe('27 + 15 = 42.');
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

    test('stops in the middle with Esc and chats on', async () => {
      await chat.newChatButton.click();
      await chat.send('Tell me a story about a fox');
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      await expect(chat.stopButton).toBeVisible();
      await chat.page.keyboard.press('Escape');
      await expect(chat.answers.last().getByText('Stopped')).toBeVisible();
      const stopped = await chat.lastWords();
      await expect(chat.page.locator('.kv-blocks')).toContainText(/KV blocks 0 \//);
      expect((await chat.ask('Hi!')).trim()).not.toBe('');
      expect(await chat.answers.first().locator('.turn-text').textContent()).toBe(stopped);
    });

    test('stops with the button and tries again', async () => {
      await chat.newChatButton.click();
      await chat.send('Tell me a story about a fox');
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      await chat.stopButton.click();
      await expect(chat.stopButton).toHaveCount(0);
      const stopped = await chat.lastWords();
      await chat.answers.last().getByRole('button', { name: 'Try again' }).click();
      // Greedy, so the second try begins as the first did; it is stopped too, for a story is long on a software adapter.
      await expect
        .poll(async () => (await chat.lastWords()).length, { timeout: 60_000 })
        .toBeGreaterThan(stopped.length);
      await chat.stopButton.click();
      expect((await chat.lastWords()).startsWith(stopped)).toBe(true);
      await expect(chat.answers).toHaveCount(1);
    });

    test('a new chat in the middle of an answer leaves a clean page', async () => {
      await chat.send('Tell me a story about a dragon');
      await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
      await chat.newChatButton.click();
      await expect(chat.questions).toHaveCount(0);
      expect(await chat.ask('What is 27 + 15?')).toBe('27 + 15 = 42.');
      await expect(chat.answers).toHaveCount(1);
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

    test('a second visit fetches no weights', async () => {
      chat.requests.length = 0;
      const startedMs = Date.now();
      await chat.page.reload();
      await chat.ready();
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(2);
      test.info().annotations.push({ type: 'second visit', description: `ready after ${seconds} s` });
      console.log(`second visit: ready after ${seconds} s`);
      expect(chat.requests.filter((request) => request.url().includes('.safetensors'))).toEqual([]);
      expect(await chat.ask('What is 27 + 15?')).toBe('27 + 15 = 42.');
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

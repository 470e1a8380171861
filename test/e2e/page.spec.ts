import { expect, type Page, test } from '@playwright/test';
import { expectAccessible } from './accessibility';
import { ChatPage, presetSettings } from './chat-page';
import { importChats, SEED } from './seed';

/** Without this property a page sees a browser that has no WebGPU. */
async function removeWebGpu(page: Page): Promise<void> {
  await page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'gpu');
  });
}

test.describe('without WebGPU', () => {
  test('says so in plain words and what to do', async ({ page }) => {
    await removeWebGpu(page);
    const chat = new ChatPage(page);
    await chat.open();
    await expect(page.getByRole('heading', { name: 'tabmind needs WebGPU' })).toBeVisible();
    await expect(page.getByText('Chrome or Edge 124 or newer')).toBeVisible();
    await expect(page.getByText('chrome://flags/#enable-unsafe-webgpu', { exact: true })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Check again' })).toBeVisible();
    await expect(chat.box).toHaveCount(0);
    expect(chat.requests.some((request) => request.url().includes('/models/'))).toBe(false);
  });

  test('in Chinese on a phone, without sideways scrolling', async ({ page }) => {
    await page.setViewportSize({ width: 360, height: 740 });
    await removeWebGpu(page);
    const chat = new ChatPage(page);
    await chat.open({ language: 'zh' });
    await expect(page.getByRole('heading', { name: 'tabmind 需要 WebGPU' })).toBeVisible();
    expect(await chat.overflow()).toBeLessThanOrEqual(0);
  });
});

test.describe('language', () => {
  for (const [locale, lang, heading] of [
    ['en-US', 'en', 'What shall we talk about?'],
    ['zh-CN', 'zh-CN', '想聊点什么？'],
    ['fr-FR', 'en', 'What shall we talk about?'],
  ] as const) {
    test(`${locale} starts in ${lang}`, async ({ browser }) => {
      const context = await browser.newContext({ locale });
      const page = await context.newPage();
      await new ChatPage(page).open({ language: 'auto' });
      await expect(page.getByRole('heading', { name: heading })).toBeVisible();
      await expect(page.locator('html')).toHaveAttribute('lang', lang);
      await context.close();
    });
  }

  test('is switched in the settings and kept over a reload', async ({ page }) => {
    await new ChatPage(page).open();
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('radio', { name: '中文' }).check();
    await expect(page.getByRole('heading', { name: '想聊点什么？' })).toBeVisible();
    await expect(page.getByText('您输入的内容不会离开此设备')).toBeVisible();
    await page.reload();
    await expect(page.getByRole('heading', { name: '想聊点什么？' })).toBeVisible();
  });
});

test('the theme follows the system until one is chosen, and is kept', async ({ page }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.emulateMedia({ colorScheme: 'light' });
  await new ChatPage(page).open();
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  expect(dark).not.toBe(light);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('radio', { name: 'Light' }).check();
  expect(await ground()).toBe(light);
  await page.reload();
  expect(await ground()).toBe(light);
});

test('a 360 px phone shows everything without sideways scrolling', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const chat = new ChatPage(page);
  await chat.open();
  await expect(chat.box).toBeInViewport({ ratio: 1 });
  await expect(page.getByText('Nothing you type leaves this device')).toBeInViewport();
  expect(await chat.overflow()).toBeLessThanOrEqual(0);
  await chat.modelPicker.click();
  await expect(page.getByLabel('Model id or address')).toBeInViewport();
  expect(await chat.overflow()).toBeLessThanOrEqual(0);
  await page.keyboard.press('Escape');
  await chat.send(`${'long'.repeat(80)} word`);
  await expect(chat.questions).toHaveCount(1);
  expect(await chat.overflow()).toBeLessThanOrEqual(0);
});

test('a model with a long name leaves the send button on a narrow phone', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await page.addInitScript(() => {
    const id = 'somebody/A-Model-2.5-With-A-Name-Of-Many-Parts-7B-Instruct-GPTQ-Int4';
    const model = { id, kind: 'url', url: 'http://localhost:1/', weightBits: 4, isComplete: false };
    localStorage.setItem('tabmind.models', JSON.stringify({ selected: id, added: [model] }));
  });
  const chat = new ChatPage(page);
  await chat.open();
  await expect(chat.box).toHaveAttribute('placeholder', /Instruct/);
  await expect(page.locator('.dock .card')).toBeVisible();
  expect(await chat.overflow()).toBeLessThanOrEqual(0);
});

test('Enter that ends a composition does not send', async ({ page }) => {
  const chat = new ChatPage(page);
  await chat.open();
  await chat.box.fill('ni hao');
  await chat.box.dispatchEvent('keydown', {
    key: 'Enter',
    isComposing: true,
    bubbles: true,
    cancelable: true,
  });
  await chat.box.press('Shift+Enter');
  await expect(chat.box).toHaveValue('ni hao\n');
  await expect(chat.questions).toHaveCount(0);
  await chat.box.press('Enter');
  await expect(chat.questions).toHaveCount(1);
  await expect(chat.box).toHaveValue('');
});

for (const [language, width, scheme] of [
  ['en', 1100, 'light'],
  ['zh', 360, 'dark'],
] as const) {
  test(`axe finds nothing on any screen: ${language}, ${width} px, ${scheme}`, async ({ page }) => {
    await page.setViewportSize({ width, height: 780 });
    await page.route('**/models/starter/**', (route) => route.abort());
    const chat = new ChatPage(page);
    const look = () => expectAccessible(page, [scheme]);
    await chat.open({ language });
    await expect(page.locator('.error')).toBeVisible({ timeout: 60_000 });
    await look();
    await chat.modelPicker.click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await look();
    await page.keyboard.press('Escape');
    await importChats(page, SEED);
    for (const tab of await page.getByRole('tab').all()) {
      await tab.click();
      await look();
    }
    await page.keyboard.press('Escape');
    if (width < 500) {
      await page.locator('.top-bar button').first().click();
      await look();
    }
    await page.locator('.history-title').first().click();
    await expect(page.locator('.turn')).toHaveCount(4);
    await page.locator('.thinking summary').click();
    await page.locator('.tool-call summary').click();
    await page.locator('.answer').last().locator('.numbers summary').click();
    await page.locator('.answer').last().locator('.remove').click();
    await expect(page.locator('.toast')).toBeVisible();
    await expectAccessible(page);
    await page.locator('.question .edit').last().click();
    await look();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.locator('.search input').fill('a');
    await expect(page.locator('.hit').first()).toBeVisible();
    await look();
    await page.keyboard.press('Escape');
    const chooser = page.waitForEvent('filechooser');
    await page.locator('.attach-button').click();
    const name = `${'long-'.repeat(20)}name.txt`;
    await (await chooser).setFiles({ name, mimeType: 'text/plain', buffer: Buffer.from('text') });
    await expect(page.locator('.attached-name')).toHaveText(name);
    await chat.box.fill('/');
    await expect(page.getByRole('option').first()).toBeVisible();
    await look();
    await chat.box.fill('');
    await page.evaluate(() => document.body.focus());
    await page.locator('.question').first().click();
    await page.keyboard.press('?');
    await expect(page.locator('.shortcuts')).toBeVisible();
    await look();
    expect(await chat.overflow()).toBeLessThanOrEqual(0);
    await removeWebGpu(page);
    await page.reload();
    await expect(page.locator('.capability')).toBeVisible();
    await look();
  });
}

test('the page before the first paint stays small', async ({ page }) => {
  await removeWebGpu(page);
  await presetSettings(page);
  const bodies: Promise<Buffer>[] = [];
  page.on('response', (response) => {
    if (/\.(js|css)$/.test(new URL(response.url()).pathname)) bodies.push(response.body());
  });
  await page.goto('./');
  await expect(page.getByRole('heading', { level: 2 }).first()).toBeVisible();
  const { gzipSync } = await import('node:zlib');
  const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
  const kib = sizes.reduce((sum, size) => sum + size, 0) / 1024;
  expect(sizes.length).toBeGreaterThan(1);
  expect(kib).toBeLessThanOrEqual(35);
});

import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { expectAccessible } from './accessibility';
import { ChatPage } from './chat-page';
import { PageSite } from './page-site';

test.use({ serviceWorkers: 'allow' });

const site = new PageSite();

test.beforeAll(() => site.start());
test.afterAll(() => site.remove());

/** Open at the site, whose server may be down. */
async function visit(context: BrowserContext): Promise<ChatPage> {
  const chat = new ChatPage(await context.newPage());
  await chat.openAt(site.url);
  return chat;
}

const isPrepared = (page: Page): Promise<boolean> =>
  page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state === 'activated');

async function goOffline(context: BrowserContext): Promise<void> {
  await context.setOffline(true);
  await site.stop();
}

/** The network is gone, as a new document sees it: Chromium tells it what the machine has, whatever was emulated before. */
async function stayOffline(context: BrowserContext): Promise<void> {
  await context.setOffline(false);
  await context.setOffline(true);
}

// One visitor, in order: the model is converted once and everything after builds on it.
test.describe
  .serial('someone who comes back', () => {
    let context: BrowserContext;
    let chat: ChatPage;

    test.beforeAll(async ({ browser }) => {
      context = await browser.newContext({ locale: 'en-US', serviceWorkers: 'allow' });
      chat = await visit(context);
    });

    test.afterAll(() => context.close());

    test('chats without a network after the first visit, below a path', async () => {
      await chat.ready();
      await expect.poll(() => isPrepared(chat.page)).toBe(true);
      await goOffline(context);
      await chat.page.reload();
      await stayOffline(context);
      await expect(chat.page.locator('.offline-badge')).toHaveText('Offline');
      await chat.ready();
      expect(await chat.ask('What is 27 + 15?')).toBe('27 + 15 = 42.');
      expect(chat.foreignRequests(new URL(site.url).origin)).toEqual([]);
    });

    test('opens the benchmark and the Chinese words without a network, too', async () => {
      const page = await context.newPage();
      await page.goto(`${site.url}bench.html`);
      await expect(page.getByRole('button', { name: 'Start' })).toBeVisible();
      await page.goto(`${site.url}?model=any`);
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('radio', { name: '中文' }).check();
      await expect(page.getByRole('heading', { name: '想聊点什么？' })).toBeVisible();
      await stayOffline(context);
      await expect(page.locator('.offline-badge')).toHaveText('离线');
      await page.getByRole('radio', { name: 'English' }).check();
      await page.close();
    });

    test('stores the starter once: converted, and not as it was downloaded', async () => {
      const urls = await chat.page.evaluate(async () => {
        const lists = (await caches.keys()).map(async (name) => (await caches.open(name)).keys());
        return (await Promise.all(lists)).flat().map(({ url }) => url);
      });
      expect(urls.length).toBeGreaterThan(15);
      expect(urls.filter((url) => url.includes('/models/'))).toEqual([]);
    });

    test('is offered a new version, which waits for the answer', async () => {
      await site.start();
      await context.setOffline(false);
      await expect(chat.page.locator('.offline-badge')).toHaveCount(0);
      site.publishVersion();
      const { page } = chat;
      await page.evaluate(async () => {
        Object.assign(window, { isOldPage: true });
        await (await navigator.serviceWorker.ready).update();
      });
      const toast = page.locator('.update-toast');
      await expect(toast).toContainText('A new version is ready');
      await expectAccessible(page);
      await chat.send('Tell me a story about a fox');
      await expect(chat.lastText).toHaveText(/\w{3}/);
      await page.getByRole('button', { name: 'Reload', exact: true }).click();
      await expect(toast).toHaveText('Reloads after this answer');
      await expect(chat.stopButton).toBeVisible();
      expect(await page.evaluate(() => 'isOldPage' in window)).toBe(true);
      const reload = page.waitForEvent('load');
      await chat.stopButton.click();
      await reload;
      expect(await page.evaluate(() => 'isOldPage' in window)).toBe(false);
      await expect(toast).toHaveCount(0);
    });

    test('may put it off', async () => {
      site.publishVersion();
      await chat.page.evaluate(async () => (await navigator.serviceWorker.ready).update());
      await chat.page.getByRole('button', { name: 'Later' }).click();
      await expect(chat.page.locator('.update-toast')).toHaveCount(0);
      await chat.page.reload();
      await expect(chat.page.locator('.update-toast')).toContainText('A new version is ready');
    });
  });

test('someone who begins with another model has the starter offline all the same', async ({ browser }) => {
  const context = await browser.newContext({ locale: 'en-US', serviceWorkers: 'allow' });
  await context.addInitScript((url) => {
    const other = { kind: 'url', id: 'own/model', url, weightBits: 4, isComplete: false };
    if (localStorage.getItem('tabmind.models') === null)
      localStorage.setItem('tabmind.models', JSON.stringify({ selected: other.id, added: [other] }));
  }, `${site.url}models/nowhere/`);
  const { page } = await visit(context);
  const starter = () =>
    page.evaluate(async () => {
      const names = (await caches.keys()).filter((name) => name.startsWith('tabmind-starter-'));
      const cached = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
      return cached.flat().length;
    });
  await expect.poll(starter).toBe(5);
  // a page of the first visit has no service worker in control, and takes a new version all the same
  site.publishVersion();
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  const reload = page.waitForEvent('load');
  await page.getByRole('button', { name: 'Reload', exact: true }).click();
  await reload;
  await expect(page.locator('.update-toast')).toHaveCount(0);
  await goOffline(context);
  await page.reload();
  const part = await page.evaluate(async () => {
    const response = await fetch('./models/starter/model.safetensors', { headers: { Range: 'bytes=8-15' } });
    return { status: response.status, length: (await response.arrayBuffer()).byteLength };
  });
  expect(part).toEqual({ status: 206, length: 8 });
  await context.close();
  await site.start();
});

test('the manifest has a name and icons of the sizes that it says', async ({ page }) => {
  await page.goto(site.url);
  const sizes = await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="manifest"]');
    const manifest = await (await fetch(link?.href ?? '')).json();
    const icons: { src: string; sizes: string; type: string }[] = manifest.icons;
    const sizeOf = async ({ src, sizes, type }: (typeof icons)[number]) => {
      const response = await fetch(new URL(src, link?.href));
      if (type !== 'image/png') return [sizes, response.ok ? sizes : 'missing'];
      const { width, height } = await createImageBitmap(await response.blob());
      return [sizes, `${width}x${height}`];
    };
    return [manifest.name, ...(await Promise.all(icons.map(sizeOf)))];
  });
  expect(sizes).toEqual([
    'tabmind',
    ['192x192', '192x192'],
    ['512x512', '512x512'],
    ['512x512', '512x512'],
    ['any', 'any'],
  ]);
});

test('the browser’s offer to install is a row of the settings', async ({ page }) => {
  await page.goto(site.url);
  await page.getByRole('button', { name: 'Settings' }).click();
  await expect(page.getByText('Install tabmind')).toHaveCount(0);
  await page.evaluate(() => {
    const event = Object.assign(new Event('beforeinstallprompt', { cancelable: true }), {
      prompt: async () => Object.assign(window, { wasAsked: true }),
    });
    dispatchEvent(event);
  });
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  expect(await page.evaluate(() => 'wasAsked' in window)).toBe(true);
  await expect(page.getByText('Install tabmind')).toHaveCount(0);
});

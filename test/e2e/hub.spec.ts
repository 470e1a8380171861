import { expectAccessible } from './accessibility';
import { ChatPage } from './chat-page';
import { expect, HUGE, KNOWN, offerOf, TINY, test } from './hub-visit';

const TOKEN = 'hf_not_a_real_token';

test('a pasted id is looked at, downloaded after a click, and chats; the next visit asks nothing', async ({
  page,
  hub,
  baseURL,
}) => {
  const chat = new ChatPage(page);
  await chat.open();
  await chat.modelPicker.click();
  await page.getByText('Hub: huggingface.co').click();
  await page.getByRole('radio', { name: 'Another one' }).check();
  await page.getByLabel('Address of the hub').fill(`${hub.origin}/`);
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await chat.lookUp(TINY);

  const offer = offerOf(page);
  await expect(offer).toContainText('Download1.04 MB');
  await expect(offer).toContainText('It fits.');
  const weights = offer.locator('.memory-part').first();
  const atFourBits = await weights.textContent();
  await offer.getByRole('radio', { name: '8 bits' }).check();
  await expect(weights).not.toHaveText(atFourBits ?? '');
  expect(hub.weightBytes).toBe(0);

  await offer.getByRole('button', { name: 'Download 1.04 MB' }).click();
  await chat.ready();
  await expect(chat.modelPicker).toHaveAccessibleName(/stories/);
  await chat.hearsWords('Once upon a time');

  const downloadedBytes = hub.weightBytes;
  await page.reload();
  await chat.ready();
  expect(hub.weightBytes).toBe(downloadedBytes);
  await chat.modelPicker.click();
  await expect(page.locator('.model-row-selected')).toContainText('260K parameters · 512 tokens · 8 bits');
  expect(chat.foreignRequests(new URL(baseURL ?? '').origin, hub.origin)).toEqual([]);
  expect(chat.problems).toEqual([]);
});

test('a download can be canceled, paused and resumed, and goes on at the byte where it was cut off', async ({
  page,
  chat,
  hub,
}) => {
  hub.behaviour.bytesPerSecond = 20_000;
  await chat.open();
  await chat.lookUp(TINY);
  await offerOf(page)
    .getByRole('button', { name: /^Download/ })
    .click();
  await expect(page.locator('.load-numbers')).toContainText(/MB.*kB\/s.*left$/);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.locator('.load-idle')).toContainText('stories is not loaded');

  // A reload downloads nothing unasked.
  await page.reload();
  await expect(offerOf(page)).toBeVisible();
  const seenBefore = hub.weightBytes;
  hub.behaviour.numCuts = 1;
  await offerOf(page)
    .getByRole('button', { name: /^Download/ })
    .click();
  await expect.poll(() => hub.weightBytes - seenBefore).toBeGreaterThan(50_000);

  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.locator('.load-phase')).toHaveText('Paused');
  // What is under way is finished first; its pace no longer matters.
  delete hub.behaviour.bytesPerSecond;
  await page.waitForTimeout(1000);
  const pausedBytes = hub.weightBytes;
  await page.waitForTimeout(500);
  expect(hub.weightBytes).toBe(pausedBytes);

  await page.getByRole('button', { name: 'Resume' }).click();
  await chat.ready();
  expect(hub.cuts).toHaveLength(1);
  expect(hub.seen.some(({ range }) => range.startsWith(`bytes=${hub.cuts[0]}-`))).toBe(true);
});

test('a gated model asks for a token, which goes to its hub only and is forgotten unless asked for', async ({
  page,
  chat,
  hub,
}) => {
  hub.behaviour.token = TOKEN;
  await chat.open();
  await chat.lookUp(TINY);
  const gate = page.locator('.offer-problem');
  await expect(gate).toContainText('This model is behind a gate');
  await expectAccessible(page);
  const field = gate.getByLabel(/^Access token for/);
  await expect(field).toHaveAttribute('type', 'password');
  await field.fill('wrong');
  await field.press('Enter');
  await expect(gate).toContainText('This token does not open the model');
  await field.fill(TOKEN);
  await field.press('Enter');
  await offerOf(page)
    .getByRole('button', { name: /^Download/ })
    .click();
  await chat.ready();

  expect(await storedText(page)).not.toContain(TOKEN);
  const strangers = chat.requests.filter((request) => !request.url().startsWith(hub.origin));
  expect(strangers.length).toBeGreaterThan(0);
  expect(JSON.stringify(strangers.map((request) => [request.url(), request.headers()]))).not.toContain(TOKEN);
  expect(hub.seen.some(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);

  await chat.modelPicker.click();
  await page.getByText(/^Hub:/).click();
  await page.getByRole('checkbox', { name: 'Remember on this computer' }).check();
  expect(await storedText(page)).toContain(TOKEN);
  await page.getByRole('checkbox', { name: 'Remember on this computer' }).uncheck();
  expect(await storedText(page)).not.toContain(TOKEN);
});

test('a model that is too big is not offered, and the reason is told', async ({ page, chat, hub }) => {
  await chat.open();
  await chat.lookUp(HUGE);
  const offer = offerOf(page);
  await expect(offer).toContainText('Too big for this computer.');
  await expect(offer.getByRole('button', { name: /^Download/ })).toHaveCount(0);
  await offer.getByText('Technical details').click();
  await expect(offer.locator('.error-details')).not.toBeEmpty();
  await expectAccessible(page);
  await offer.getByRole('button', { name: 'Cancel' }).click();
  await expect(offer).toHaveCount(0);
  expect(hub.weightBytes).toBe(0);
});

test('a model of the catalog is found, judged, downloaded and deleted', async ({ page, chat, hub }) => {
  await chat.open();
  await chat.openPicker('Catalog');
  const rows = page.getByRole('list', { name: 'Catalog of models' }).getByRole('listitem');
  const whole = await rows.count();
  expect(whole).toBeGreaterThan(30);
  await expect(page.getByText('There is no graphics card')).toBeVisible();
  await expect(rows.filter({ hasText: 'Qwen3-8B' }).first()).toContainText('too big');
  await expect(rows.first()).toContainText('Recommended');
  await expectAccessible(page);
  await page.getByRole('searchbox').fill('smollm2 135');
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText('135M parameters · Apache 2.0 · 269 MB to download');
  await expect(rows).toContainText(/Needs \d+ MB in 4 bits · fits/);
  expect(hub.seen).toEqual([]);

  await rows.getByRole('button').click();
  await expect(offerOf(page)).toContainText(KNOWN);
  await offerOf(page)
    .getByRole('button', { name: /^Download/ })
    .click();
  await chat.ready();
  await chat.openPicker('Catalog');
  await expect(rows).toContainText('Downloaded');

  await page.getByRole('radio', { name: 'Storage' }).check();
  const stored = page.getByRole('list', { name: 'What is stored' }).getByRole('listitem');
  await expect(stored).toHaveCount(1);
  await expect(stored).toContainText(/\d+ kB · 4 bits · .*in use/);
  await expect(page.getByText(/This page uses .* of the .* that the browser allows/)).toBeVisible();
  await expectAccessible(page);
  await stored.getByRole('button', { name: /^Delete / }).click();
  await expect(page.getByText('Nothing is stored.')).toBeVisible();
  await page.keyboard.press('Escape');
  await chat.hearsWords('Once upon a time');
  await page.reload();
  await expect(offerOf(page)).toContainText(KNOWN);
  expect(chat.problems).toEqual([]);
});

test('a full disk leads to the storage page, where everything can be deleted', async ({
  page,
  chat,
  baseURL,
}) => {
  await chat.open();
  const browser = await page.context().newCDPSession(page);
  const origin = new URL(baseURL ?? '').origin;
  const allow = (quota: { readonly quotaSize?: number }) =>
    browser.send('Storage.overrideQuotaForOrigin', { origin, ...quota });
  await allow({ quotaSize: 100_000 });
  await chat.lookUp(TINY);
  await offerOf(page)
    .getByRole('button', { name: /^Download/ })
    .click();
  await expect(page.locator('.error')).toContainText('no room left');
  await page.getByRole('button', { name: 'Manage stored models' }).click();
  await expect(page.getByRole('radio', { name: 'Storage' })).toBeChecked();
  await expect(page.getByText('Nothing is stored.')).toBeVisible();
  await page.keyboard.press('Escape');

  await allow({});
  await page.getByRole('button', { name: 'Try again' }).click();
  await chat.ready();
  await chat.modelPicker.click();
  const stored = page.getByRole('list', { name: 'What is stored' }).getByRole('listitem');
  await expect(stored).toHaveCount(1);
  await page.getByRole('button', { name: 'Delete everything' }).click();
  await page.getByRole('button', { name: 'Keep it' }).click();
  await expect(stored).toHaveCount(1);
  await page.getByRole('button', { name: 'Delete everything' }).click();
  await page.getByRole('button', { name: 'Delete everything now' }).click();
  await expect(page.getByText('Nothing is stored.')).toBeVisible();
});

/** Everything that this origin keeps: local and session storage, and all values of all databases. */
function storedText(page: ChatPage['page']): Promise<string> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const parts: unknown[] = [{ ...localStorage }, { ...sessionStorage }];
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name ?? ''));
      for (const store of database.objectStoreNames) {
        const objects = database.transaction(store).objectStore(store);
        parts.push(await done(objects.getAllKeys()), await done(objects.getAll()));
      }
      database.close();
    }
    return JSON.stringify(parts);
  });
}

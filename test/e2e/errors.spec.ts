import { expect, test } from '@playwright/test';
import { ChatPage } from './chat-page';

test('a model that cannot be fetched can be tried again, and the waiting question is answered', async ({
  page,
}) => {
  const chat = new ChatPage(page);
  await page.route('**/models/starter/**', (route) => route.abort('connectionfailed'));
  await chat.open();
  await expect(page.locator('.error').getByText('The model could not be fetched')).toBeVisible({
    timeout: 60_000,
  });
  await expect(chat.modelPicker).toHaveAccessibleName(/could not be loaded$/);
  await chat.send('What is 27 + 15?');
  await expect(chat.answers.last().locator('.error')).toBeVisible({ timeout: 60_000 });
  await expect(page.locator('.error')).toHaveCount(1);
  await page.unroute('**/models/starter/**');
  await page.getByRole('button', { name: 'Try again' }).click();
  await chat.ready();
  expect(await chat.answer()).toBe('27 + 15 = 42.');
  await expect(chat.questions).toHaveCount(1);
});

test('an address without a model is explained, and the starter goes on', async ({ page }) => {
  const chat = new ChatPage(page);
  await chat.open();
  await chat.lookUp('not an address');
  await expect(page.getByText('This is neither a model id like owner/name')).toBeVisible();
  await page.keyboard.press('Escape');
  await chat.lookUp(new URL('./models/nowhere/', page.url()).href);
  await expect(page.locator('.error').getByText('There is no model at this address')).toBeVisible({
    timeout: 60_000,
  });
  await page.getByRole('button', { name: 'Change the address' }).click();
  await expect(page.getByLabel('Model id or address')).toBeFocused();
  await page.keyboard.press('Escape');
  await page.locator('.error').getByRole('button', { name: 'Close' }).click();
  await expect(page.locator('.error')).toHaveCount(0);
  await chat.ready();
});

test('loading can be canceled and started again, and a question asked meanwhile is answered', async ({
  page,
}) => {
  const chat = new ChatPage(page);
  await chat.open();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.locator('.load-idle')).toContainText('tabmind starter is not loaded');
  await expect(chat.modelPicker).toHaveAccessibleName(/not loaded$/);
  await page.getByRole('button', { name: 'Load model' }).click();
  await chat.send('What is 27 + 15?');
  await expect(chat.answers.last()).toContainText('Waiting for the model to load');
  await chat.ready();
  expect(await chat.answer()).toBe('27 + 15 = 42.');
});

test('an adapter that the browser will not give is explained', async ({ page }) => {
  // The engine asks from its worker, so the refusal has to happen there.
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch();
    const body = `GPU.prototype.requestAdapter = async () => null;\n${await response.text()}`;
    await route.fulfill({ response, body });
  });
  const chat = new ChatPage(page);
  await chat.open();
  await expect(page.getByText('found no graphics card that it may use')).toBeVisible({ timeout: 60_000 });
  await expect(chat.box).toHaveCount(0);
});

test('a graphics device that goes away in the middle of an answer is explained, and the model comes back', async ({
  page,
  context,
}) => {
  const chat = new ChatPage(page);
  await chat.open();
  await chat.ready();
  await chat.send('Tell me a story about a dragon');
  await expect(chat.lastText).toHaveText(/\w{3}/, { timeout: 60_000 });
  const browser = await context.browser()?.newBrowserCDPSession();
  await browser?.send('Browser.crashGpuProcess');
  await expect(chat.answers.last().locator('.error')).toContainText('graphics card', { timeout: 60_000 });
  await page.getByRole('button', { name: 'Reload model' }).click();
  await chat.ready();
  await chat.newChatButton.click();
  expect(await chat.ask('What is 27 + 15?')).toBe('27 + 15 = 42.');
});

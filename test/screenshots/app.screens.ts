import { PageSite } from '../e2e/page-site';
import { expect, test } from './stage';

const QUESTION = { en: 'Tell me a story about a dragon', zh: '讲一个关于龙的故事' } as const;

test('a new version, and a graphics card that goes away', async ({ freshStage: stage, browser }) => {
  const { page, chat } = stage;
  const site = new PageSite();
  await site.start();
  await chat.openAt(site.url, { language: stage.options.language });
  await chat.ready();
  site.publishVersion();
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  await expect(page.locator('.update-toast')).toBeVisible();
  await stage.take('update-toast');

  const hears = async () => {
    await chat.send(QUESTION[stage.options.language]);
    await expect(chat.lastText).toHaveText(/.{10}/, { timeout: 60_000 });
  };
  await hears();
  await page.locator('.update-toast .button').click();
  await stage.take('update-waits');
  const reload = page.waitForEvent('load');
  await chat.stopButton.click();
  await reload;
  await chat.ready();
  await chat.newChatButton.click();
  await hears();
  await (await browser.newBrowserCDPSession()).send('Browser.crashGpuProcess');
  await expect(chat.answers.last().locator('.error')).toBeVisible({ timeout: 60_000 });
  await stage.take('error-device-lost');
  await site.remove();
});

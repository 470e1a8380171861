import { ANSWERS } from './answers';
import { expect, test } from './stage';

const SECTIONS = ['general', 'chat', 'answers', 'prompts', 'memory', 'data'] as const;

test('every section of the settings', async ({ stage }) => {
  const { page } = stage;
  await page.goto('./');
  await stage.chat.ready();
  await stage.openChat(ANSWERS[stage.options.language].trip[0]?.[0] ?? '');
  await page.locator('.top-bar-actions button').last().click();
  for (const section of SECTIONS) {
    await page.locator(`#tab-${section}`).click();
    await page.waitForTimeout(300);
    await stage.take(`settings-${section}`);
    const panel = page.locator('#settings-panel');
    const isLong = await panel.evaluate((box) => box.scrollHeight > box.clientHeight + 8);
    if (!isLong) continue;
    await panel.evaluate((box) => box.scrollTo({ top: box.scrollHeight, behavior: 'instant' }));
    await stage.take(`settings-${section}-end`);
  }
});

test('the benchmark page', async ({ stage }) => {
  const { page } = stage;
  await page.goto('./bench.html');
  await stage.take('bench');
  await page.locator('[name=concurrency]').fill('1,2');
  await page.locator('[name=lengths]').fill('32:16');
  await page.locator('[name=runs]').fill('2');
  await page.locator('.bench-form [type=submit]').first().click();
  await page.waitForTimeout(1500);
  await stage.take('bench-running');
  await expect(page.locator('table').first()).toBeVisible({ timeout: 160_000 });
  await stage.take('bench-report');
  await page.locator('.bench-charts').scrollIntoViewIfNeeded();
  await stage.take('bench-report-end');
});

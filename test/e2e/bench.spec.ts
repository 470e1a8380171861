import { expect, test } from '@playwright/test';

test('the benchmark page measures the starter and shows the report', async ({ page }) => {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto('/bench.html');
  await page.getByLabel('Concurrency').fill('1');
  await page.getByLabel('Prompt:completion tokens').fill('8:4');
  await page.getByLabel('Requests a lane').fill('1');
  await page.getByRole('button', { name: 'Start' }).click();
  const report = page.getByRole('region', { name: 'Report' });
  await expect(report).toBeVisible({ timeout: 120_000 });
  await expect(report.getByRole('row', { name: /^1 × 8:4 ITL/ })).toBeVisible();
  await expect(page.getByLabel('Prompt:completion tokens')).toHaveValue('8:4');
  await expect(report.getByRole('img', { name: 'Output tokens per second' })).toBeVisible();
  const download = page.waitForEvent('download');
  await report.getByRole('button', { name: 'Save as JSON' }).click();
  const path = await (await download).path();
  const compare = page.getByRole('region', { name: 'Compare' });
  await compare.getByLabel('A, before').setInputFiles(path);
  await compare.getByLabel('B, after').setInputFiles(path);
  await compare.getByRole('button', { name: 'Compare' }).click();
  await expect(compare.getByRole('row', { name: /^1 × 8:4 output tok\/s/ })).toContainText('0 %');
  expect(problems).toEqual([]);
});

test('the benchmark page says what it cannot read, and stops when asked', async ({ page }) => {
  await page.goto('/bench.html');
  await page.getByLabel('Concurrency').fill('many');
  await page.getByRole('button', { name: 'Start' }).click();
  await expect(page.getByRole('status')).toContainText('"many" is no whole number');
  await page.getByLabel('Concurrency').fill('1');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByRole('status')).toContainText('Stopped', { timeout: 60_000 });
});

import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { expectAccessible } from './accessibility';
import { presetSettings } from './chat-page';

test('the benchmark page measures the starter and shows the report', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto('/bench.html');
  await page.getByLabel('Concurrency').fill('1');
  await page.getByLabel('Prompt:completion tokens').fill('8:4');
  await page.getByLabel('Requests per lane').fill('1');
  await page.getByRole('button', { name: 'Start' }).click();
  const report = page.getByRole('region', { name: 'Report' });
  await expect(report).toBeVisible({ timeout: 120_000 });
  await expect(report.getByRole('row', { name: /^1 × 8:4 ITL/ })).toBeVisible();
  await expect(page.getByLabel('Prompt:completion tokens')).toHaveValue('8:4');
  await expect(report.getByRole('img', { name: 'Output tokens per second' })).toBeVisible();
  const download = page.waitForEvent('download');
  await report.getByRole('button', { name: 'Save as JSON' }).click();
  const path = await (await download).path();
  await report.getByRole('button', { name: 'Copy as JSON' }).click();
  await expect(report.getByRole('button', { name: 'Copied' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(readFileSync(path, 'utf8'));
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
  await expectAccessible(page);
});

test('the benchmark page speaks the language of the settings', async ({ page }) => {
  await presetSettings(page, { language: 'zh' });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto('/bench.html');
  await expect(page.getByRole('heading', { name: 'tabmind 性能测试' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
  await page.getByLabel('并发数').fill('很多');
  await page.getByRole('button', { name: '开始' }).click();
  await expect(page.getByRole('status')).toHaveText('“很多”不是大于等于 1 的整数。');
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await expectAccessible(page, ['dark']);
});

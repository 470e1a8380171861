import { serve } from '../web/serve.mjs';
import { CHROMIUM_FLAGS, chromiumPath } from './chromium.mjs';

/**
 * Serves `root` (and further `roots`: URL prefix → folder), opens it in headless Chromium and returns the page.
 * `flags`: one string of browser flags in place of the SwiftShader ones.
 */
export async function openPage({ root, roots = {}, flags, path = '/', userDataDir, silent = false }) {
  const { chromium } = await import('playwright-core');
  const server = await serve({ roots: { ...roots, '/': root }, port: 0 });
  const args = flags === undefined ? CHROMIUM_FLAGS : flags.split(/\s+/).filter(Boolean);
  const options = { executablePath: process.env.CHROME ?? chromiumPath(), args, headless: true };
  const browser = userDataDir
    ? await chromium.launchPersistentContext(userDataDir, options)
    : await chromium.launch(options);
  const page = await browser.newPage();
  if (!silent) {
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') console.log(`[page] ${message.text()}`);
    });
    page.on('pageerror', (error) => console.log(`[page] ${error.stack ?? error}`));
  }
  await page.goto(new URL(path, server.url).href);
  return {
    page,
    context: page.context(),
    url: server.url,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

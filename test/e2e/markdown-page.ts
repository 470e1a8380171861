import { test as base, expect } from '@playwright/test';
import { serve } from '../../web/serve.mjs';
import { buildMarkdownPage } from '../markdown/build.mjs';

/** The page that shows markdown without a model, and everything that it asked for or complained of. */
export interface MarkdownVisit {
  readonly url: string;
  /** Addresses of all requests since the page was opened. */
  readonly requests: readonly string[];
  /** Errors of scripts, and of the content policy. */
  readonly problems: readonly string[];
}

export const test = base.extend<{ visit: MarkdownVisit }, { site: string }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures that are needed from it.
    async ({}, use) => {
      const server = await serve({ root: await buildMarkdownPage() });
      await use(server.url);
      await server.close();
    },
    { scope: 'worker' },
  ],
  visit: async ({ page, site }, use) => {
    const requests: string[] = [];
    const problems: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await page.goto(site);
    await use({ url: site, requests, problems });
  },
});

export { expect };

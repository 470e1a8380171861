import { test as base, expect, type Page } from '@playwright/test';
import { ChatPage } from './chat-page';
import { HubServer } from './hub-server';
import { hugeCheckpoint, tinyCheckpoint } from './tiny-checkpoint';

export const TINY = 'tiny/stories';
export const HUGE = 'tiny/huge';
/** A name of the catalog, under which the hub of the tests has the tiny checkpoint. */
export const KNOWN = 'HuggingFaceTB/SmolLM2-135M-Instruct';

export interface HubVisit {
  readonly chat: ChatPage;
  readonly hub: HubServer;
}

/** A visitor whose hub is one of the test's own, and whose starter cannot be fetched, for it would only take time. */
export const test = base.extend<HubVisit>({
  hub: async ({ browserName: _ }, use) => {
    const hub = new HubServer({
      [TINY]: tinyCheckpoint(),
      [KNOWN]: tinyCheckpoint(),
      [HUGE]: hugeCheckpoint(),
    });
    await hub.listen();
    await use(hub);
    hub.close();
  },
  chat: async ({ page, hub }, use) => {
    await chooseHub(page, hub.origin);
    await page.route('**/models/starter/**', (route) => route.abort());
    const chat = new ChatPage(page);
    await use(chat);
  },
});

async function chooseHub(page: Page, own: string): Promise<void> {
  await page.addInitScript(
    (record) => {
      if (localStorage.getItem('tabmind.hub') === null)
        localStorage.setItem('tabmind.hub', JSON.stringify(record));
    },
    { choice: 'own', own },
  );
}

/** The card that asks whether to load a model. */
export function offerOf(page: Page) {
  return page.locator('.offer');
}

export { expect };

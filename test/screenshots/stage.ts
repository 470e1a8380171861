import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, test as base, chromium, expect, type Page } from '@playwright/test';
import { ChatPage, presetSettings } from '../e2e/chat-page';
import { importChats } from '../e2e/seed';
import { exportFile, type PageLanguage } from './chats';

export const SCREENS = fileURLToPath(new URL('../../test-results/screens/', import.meta.url));

export interface StageOptions {
  readonly size: 'desktop' | 'phone';
  readonly language: PageLanguage;
}

const VIEWPORTS = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const;
/** The narrowest phone that the page is made for. */
const NARROWEST = { width: 360, height: 640 };
const SCHEMES = ['light', 'dark'] as const;

/** A browser with the starter in its storage and chats of many days, and the camera before it. */
export class Stage {
  readonly page: Page;
  readonly chat: ChatPage;
  readonly options: StageOptions;

  constructor(page: Page, options: StageOptions) {
    this.page = page;
    this.chat = new ChatPage(page);
    this.options = options;
  }

  get isPhone(): boolean {
    return this.options.size === 'phone';
  }

  /** Takes the page as it is now, light and dark, and on a phone once more as narrow as it gets. */
  async take(name: string): Promise<void> {
    const { size, language } = this.options;
    mkdirSync(SCREENS, { recursive: true });
    for (const colorScheme of SCHEMES) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await this.#shoot(`${name}.${size}.${language}.${colorScheme}`);
    }
    if (this.isPhone) {
      await this.page.setViewportSize(NARROWEST);
      await this.#shoot(`${name}.narrow.${language}.dark`);
      await this.page.setViewportSize(VIEWPORTS.phone);
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
  }

  async #shoot(file: string): Promise<void> {
    // fonts, icons and lazy parts that a change of size or scheme brings in
    await this.page.waitForTimeout(150);
    const path = join(SCREENS, `${file}.png`);
    await this.page.screenshot({ path, caret: 'hide', animations: 'disabled' });
    expect.soft(await this.chat.overflow(), `${file} is wider than its window`).toBeLessThanOrEqual(0);
  }

  /** Opens a chat of the list by its place, the newest being 0 (the pinned ones before). */
  async openChat(title: string | RegExp): Promise<void> {
    if (this.isPhone) await this.page.locator('.top-bar button').first().click();
    await this.page.locator('.history-title', { hasText: title }).click();
    await expect(this.page.locator('.turn').first()).toBeVisible();
    await this.page.waitForTimeout(400);
  }
}

/** The device of a project: its window, its way of being touched, its language. */
function deviceOf({ size, language }: StageOptions) {
  const isPhone = size === 'phone';
  return {
    viewport: VIEWPORTS[size],
    deviceScaleFactor: isPhone ? 2 : 1.5,
    hasTouch: isPhone,
    isMobile: isPhone,
    locale: language === 'zh' ? 'zh-CN' : 'en-US',
  };
}

interface StageFixtures {
  readonly stage: Stage;
  /** In a browser of its own, which has nothing stored and keeps service workers. */
  readonly freshStage: Stage;
}

interface WorkerFixtures extends StageOptions {
  /** One browser for all screens of a kind: the starter is converted once. */
  readonly visit: BrowserContext;
}

export const test = base.extend<StageFixtures, WorkerFixtures>({
  size: ['desktop', { option: true, scope: 'worker' }],
  language: ['en', { option: true, scope: 'worker' }],
  visit: [
    async ({ size, language, launchOptions }, use) => {
      const profile = mkdtempSync(join(tmpdir(), 'tabmind-screens-'));
      const context = await chromium.launchPersistentContext(profile, {
        ...launchOptions,
        ...deviceOf({ size, language }),
        baseURL: `http://localhost:${process.env.E2E_PORT ?? 4173}`,
        serviceWorkers: 'block',
      });
      const page = await context.newPage();
      await presetSettings(page, { language });
      await page.goto('./');
      await new ChatPage(page).ready();
      await importChats(page, exportFile(language));
      await page.close();
      await use(context);
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
    { scope: 'worker', timeout: 240_000 },
  ],
  stage: async ({ visit, size, language }, use) => {
    const page = await visit.newPage();
    await use(new Stage(page, { size, language }));
    await page.close();
  },
  freshStage: async ({ browser, size, language }, use) => {
    const context = await browser.newContext({ ...deviceOf({ size, language }), serviceWorkers: 'allow' });
    await use(new Stage(await context.newPage(), { size, language }));
    await context.close();
  },
});

export { expect };

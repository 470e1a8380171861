import { fileURLToPath } from 'node:url';
import { defineConfig } from '@playwright/test';
import e2e from '../../playwright.config';
import type { StageOptions } from './stage';

const LANGUAGES = ['en', 'zh'] as const;
const SIZES = ['desktop', 'phone'] as const;

/** `npm run screenshots`: every screen of the page, wide and narrow, light and dark, in both languages. */
export default defineConfig<object, StageOptions>({
  ...e2e,
  testDir: '.',
  testMatch: '*.screens.ts',
  outputDir: '../../test-results/screenshots',
  reporter: [['list']],
  use: { ...e2e.use, actionTimeout: 15_000 },
  webServer: { ...e2e.webServer, cwd: fileURLToPath(new URL('../..', import.meta.url)) } as never,
  projects: SIZES.flatMap((size) =>
    LANGUAGES.map((language) => ({ name: `${size}-${language}`, use: { size, language } })),
  ),
});

import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const PORT = 4173;

/** A browser of the system before Playwright's own, which a checkout may not have downloaded. */
const executablePath = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));

/** GPU_ADAPTER=hardware runs on the machine's own graphics card; the default is the software adapter every machine has. */
const adapter = process.env.GPU_ADAPTER === 'hardware' ? [] : ['--use-webgpu-adapter=swiftshader'];

export default defineConfig({
  testDir: '/work/main/test/e2e',
  outputDir: '/tmp/webmock/test-results/e2e',
  // One GPU, and a software adapter on two cores: tests side by side would only make each other slow.
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  forbidOnly: process.env.CI !== undefined,
  reporter: [['list'], ['json', { outputFile: '/tmp/webmock/test-results/e2e.json' }]],
  use: {
    baseURL: `http://localhost:${PORT}`,
    channel: 'chromium',
    screenshot: 'only-on-failure',
    launchOptions: {
      ...(executablePath === undefined ? {} : { executablePath }),
      args: [
        '--no-sandbox',
        '--enable-unsafe-webgpu',
        '--enable-features=Vulkan',
        '--disable-background-networking',
        ...adapter,
      ],
    },
  },
  webServer: {
    command: `node web/start.mjs --port ${PORT} --no-open`,
    url: `http://localhost:${PORT}/`,
    timeout: 300_000,
    reuseExistingServer: true,
    stdout: 'pipe',
  },
});

import { defineConfig } from '@playwright/test';
import { CHROMIUM_FLAGS, chromiumPath } from './test/chromium.mjs';

const PORT = Number(process.env.E2E_PORT ?? 4173);

/** GPU_ADAPTER=hardware runs on the machine's own graphics card; the default is the software adapter every machine has. */
const args =
  process.env.GPU_ADAPTER === 'hardware'
    ? CHROMIUM_FLAGS.filter((flag) => !flag.startsWith('--use-webgpu-adapter'))
    : CHROMIUM_FLAGS;

const executablePath = chromiumPath();

export default defineConfig({
  testDir: 'test/e2e',
  outputDir: 'test-results/e2e',
  // One GPU, and a software adapter on two cores: tests side by side would only make each other slow.
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  forbidOnly: process.env.CI !== undefined,
  reporter: [['list'], ['json', { outputFile: 'test-results/e2e.json' }]],
  use: {
    baseURL: `http://localhost:${PORT}`,
    channel: 'chromium',
    screenshot: 'only-on-failure',
    // Only the tests of working offline need one; elsewhere it would answer what a test lets fail.
    serviceWorkers: 'block',
    launchOptions: {
      ...(executablePath === undefined ? {} : { executablePath }),
      args,
    },
  },
  webServer: {
    command: `node web/start.mjs --port ${PORT} --no-open`,
    url: `http://localhost:${PORT}/`,
    timeout: 300_000,
    reuseExistingServer: false,
    stdout: 'pipe',
  },
});

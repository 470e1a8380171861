// How smoothly the chat itself stays while an answer in markdown arrives below a long history:
//   node test/markdown/chat-speed.mjs [--messages 5000] [--rate 200] [--seconds 10] [--trace FILE] [--browser-flags "…"] [--worker FILE]
// --worker keeps the built worker in a file, for computers that cannot build it.
// The page is the built one, with its storage, its content policy and its list of chats; only the engine's worker is
// replaced by one that writes a text at the given rate. The history is imported as a person imports one. Nothing is
// asserted: frames of a headless browser depend on what else the computer does; the processor time of tasks does not.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PAGE_HEADERS } from '../../web/content-policy.mjs';
import { serve } from '../../web/serve.mjs';
import { CHROMIUM_FLAGS, chromiumPath } from '../chromium.mjs';
import { frameReport, TRACE_CATEGORIES, taskReport } from './frame-report.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const MARK = 'tabmind-stream';
const TOKEN_CHARS = 4;

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000' },
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    trace: { type: 'string' },
    worker: { type: 'string' },
    'browser-flags': { type: 'string' },
  },
});
const [numMessages, rate, seconds] = ['messages', 'rate', 'seconds'].map((name) => Number(values[name]));
const sample = readFileSync(new URL('sample.md', import.meta.url), 'utf8');
const numChars = rate * seconds * TOKEN_CHARS;
const text = sample.repeat(Math.ceil(numChars / sample.length)).slice(0, numChars);

async function workerCode() {
  const kept = values.worker;
  if (kept !== undefined && existsSync(kept)) return readFileSync(kept, 'utf8');
  const { build } = await import('vite');
  const { output } = await build({
    configFile: false,
    logLevel: 'warn',
    build: { write: false, rolldownOptions: { input: at('streaming-worker.ts') } },
  });
  const code = `const STREAM = ${JSON.stringify({ text, tokensPerSecond: rate })};\n${output[0].code}`;
  if (kept !== undefined) writeFileSync(kept, code);
  return code;
}

/** An export file of one conversation. */
function history() {
  const startMs = Date.now() - numMessages * 1000;
  const end = { status: 'done', finishReason: 'stop', usage: null, timings: null };
  const messages = Array.from({ length: numMessages }, (_, i) => ({
    version: 1,
    id: `m${i}`,
    parent: i === 0 ? null : `m${i - 1}`,
    createdMs: startMs + i * 1000,
    ...(i % 2 === 0
      ? { role: 'user', text: `Question ${i / 2}: how do I sort?` }
      : { role: 'assistant', text: `Answer ${i}.\n\n${sample}`, model: 'model', end, thinkingMs: null }),
  }));
  const head = { version: 1, id: 'long', title: 'A long conversation', isNamed: true, isPinned: false };
  const rest = { systemPrompt: '', dropsOldest: false, createdMs: startMs, updatedMs: Date.now() };
  const conversation = { ...head, ...rest, leaf: `m${numMessages - 1}`, messages };
  return JSON.stringify({ format: 'tabmind-conversations', version: 1, conversations: [conversation] });
}

async function importHistory(page) {
  await page.locator('.top-bar-actions button').last().click();
  await page.locator('#tab-data').click();
  const file = { name: 'chats.json', mimeType: 'application/json', buffer: Buffer.from(history()) };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.locator('.import-outcome:not(:empty)').waitFor({ timeout: 120_000 });
  await page.keyboard.press('Escape');
}

/** In the page: begins to take the time between frames. */
function watchFrames(mark) {
  performance.mark(mark);
  const times = [];
  let before = performance.now();
  const step = (nowMs) => {
    times.push(nowMs - before);
    before = nowMs;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
  Object.assign(globalThis, { frameTimes: times });
}

const server = await serve({ root: at('../../dist'), pageHeaders: PAGE_HEADERS, port: 0 });
const { chromium } = await import('playwright-core');
const args = values['browser-flags']?.split(/\s+/).filter(Boolean) ?? CHROMIUM_FLAGS;
const browser = await chromium.launch({ executablePath: process.env.CHROME ?? chromiumPath(), args });
const page = await (
  await browser.newContext({ serviceWorkers: 'block', viewport: { width: 1280, height: 800 } })
).newPage();
page.on('pageerror', (error) => console.log(`[page] ${error.stack ?? error}`));
const body = await workerCode();
await page.route('**/assets/worker-*.js', (route) =>
  route.fulfill({ body, contentType: 'text/javascript', headers: PAGE_HEADERS }),
);
await page.addInitScript(() => localStorage.setItem('tabmind.settings', JSON.stringify({ language: 'en' })));
await page.goto(server.url);
await importHistory(page);
await page.reload();
await page.locator('.history-title').first().waitFor();
const openedMs = await page.evaluate(async () => {
  const startMs = performance.now();
  document.querySelector('.history-title').click();
  while (document.querySelector('.answer .turn-text :is(h1, p)') === null)
    await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - startMs;
});
await page.waitForTimeout(3000);
await page.locator('#message').fill('Show me three ways to sort, with a table.');
await browser.startTracing(page, {
  categories: TRACE_CATEGORIES,
  ...(values.trace ? { path: values.trace } : {}),
});
await page.evaluate(watchFrames, MARK);
await page.locator('#message').press('Enter');
await page.waitForTimeout(1000);
await page
  .locator('.answer[aria-busy=false]')
  .last()
  .waitFor({ timeout: (seconds + 60) * 1000 });
await page.waitForFunction(() => document.querySelector('.answer[aria-busy=true]') === null, null, {
  timeout: (seconds + 60) * 1000,
});
await page.waitForTimeout(500);
const times = await page.evaluate(() => globalThis.frameTimes);
const trace = (await browser.stopTracing()).toString();
const shown = (await page.locator('.answer').last().textContent()).length;
console.log(
  `${numMessages} messages, opened in ${openedMs.toFixed(0)} ms; ${text.length} characters at ${rate} tokens/s, ${shown} on the page`,
);
console.log(frameReport('from the question to the end of the answer', times));
console.log(taskReport(trace, MARK));
await browser.close();
await server.close();

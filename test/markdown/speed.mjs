// How smoothly an answer in markdown streams below a long history, without a model:
//   node test/markdown/speed.mjs [--messages 5000] [--drawn 60] [--rate 200] [--seconds 10] [--text FILE] [--trace FILE]
// `drawn` of the messages stand on the page, the last ones, as in the chat until someone asks for earlier ones.
// Prints frame times, the tasks of the page's main thread by the processor time that they took, and how long the history
// took to open. Nothing is asserted: frames of a headless browser depend on what else the computer does.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openPage } from '../browser.mjs';
import { buildMarkdownPage } from './build.mjs';
import { frameReport, TRACE_CATEGORIES, taskReport } from './frame-report.mjs';

/** Where the stream begins in the trace. */
const MARK = 'tabmind-stream';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000' },
    drawn: { type: 'string', default: '60' },
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    text: { type: 'string' },
    trace: { type: 'string' },
  },
});
const [numMessages, numDrawn, rate, seconds] = ['messages', 'drawn', 'rate', 'seconds'].map((name) =>
  Number(values[name]),
);
/** Characters of one token of English text. */
const TOKEN_CHARS = 4;
const sample = readFileSync(values.text ?? new URL('sample.md', import.meta.url), 'utf8');

/** In the page: streams `text` into the answer, `rate` tokens a second, and measures frames. */
async function stream({ text, rate, tokenChars }) {
  performance.mark('tabmind-stream');
  return markdownPage.frameTimes(async () => {
    const startMs = performance.now();
    for (let end = 0; end < text.length; ) {
      await new Promise((done) => setTimeout(done, 5));
      end = Math.ceil(((performance.now() - startMs) / 1000) * rate) * tokenChars;
      markdownPage.grow(text.slice(0, end));
    }
  });
}

const { page, context, close } = await openPage({ root: await buildMarkdownPage() });
const history = Array.from(
  { length: numMessages },
  (_, i) => `Message ${i}. ${i % 2 === 0 ? 'How do I sort?' : sample.slice(0, 600)}`,
);
const openMs = await page.evaluate(async (texts) => {
  const startMs = performance.now();
  markdownPage.setHistory(texts);
  markdownPage.followEnd();
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - startMs;
}, history.slice(-numDrawn));
await page.evaluate(() => markdownPage.show('warm **up** $x$\n\n```js\nlet x\n```\n'));
await page.waitForTimeout(1500);
const idle = await page.evaluate(() =>
  markdownPage.frameTimes(() => new Promise((done) => setTimeout(done, 2000))),
);
const text = sample
  .repeat(Math.ceil((rate * seconds * TOKEN_CHARS) / sample.length))
  .slice(0, rate * seconds * TOKEN_CHARS);
await context
  .browser()
  .startTracing(page, { categories: TRACE_CATEGORIES, ...(values.trace ? { path: values.trace } : {}) });
const times = await page.evaluate(stream, { text, rate, tokenChars: TOKEN_CHARS });
const trace = (await context.browser().stopTracing()).toString();
console.log(
  `the last ${Math.min(numDrawn, numMessages)} of ${numMessages} messages opened in ${openMs.toFixed(0)} ms; ${text.length} characters at ${rate} tokens/s`,
);
console.log(frameReport('nothing happens', idle));
console.log(frameReport('streaming', times));
console.log(taskReport(trace, MARK));
await close();

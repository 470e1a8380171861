// Kills the tab at ten random points of a conversion; the next visit must finish it, and the model must be right.
//   node test/kill/run.mjs [--rounds 10] [--seed N] [--browser-flags "…"] [--built DIR]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';
import { readReference, relativeError } from '../check/reference.mjs';

const { values } = readArguments({
  rounds: { type: 'string', default: '10' },
  seed: { type: 'string' },
  'browser-flags': { type: 'string' },
  built: { type: 'string' },
});
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const starter = at('../../public/models/starter/');
const [prompt] = readReference(starter).prompts;
const root = values.built ?? (await buildPage(at('../check/'), 'check'));
const userDataDir = mkdtempSync(join(tmpdir(), 'tabmind-kill-'));
const { context, url, close } = await openPage({
  root,
  roots: { '/models/starter/': starter },
  flags: values['browser-flags'],
  userDataDir,
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
let state = seed;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
// Unquantised, so that the result can be held against the recorded float logits; two cached chunks.
const options = { weightBits: 16, headBits: 16, kvBits: 16, contextLength: 64, maxSequences: 1 };
const load = { id: 'kill/starter', url: `${url}models/starter/` };

async function visit(use) {
  const page = await context.newPage();
  try {
    await page.goto(url);
    await page.waitForFunction('globalThis.tabmindCheck');
    return await use((name, ...args) =>
      page.evaluate(([name, args]) => globalThis.tabmindCheck[name](...args), [name, args]),
    );
  } finally {
    await page.close();
  }
}

/** Loads to the end; returns the relative error of the recorded prompt's logits and how the load went. */
function finish() {
  return visit(async (call) => {
    const { info, error, convertMs } = await call('load', load, options);
    if (error) return { failure: `load failed: [${error.code}] ${error.message}` };
    const { last } = await call('compare', prompt.ids, [0]);
    return { error: relativeError(last, prompt.logits), info, convertMs };
  });
}

let failed = 0;
const report = (ok, line) => {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${line}`);
  if (!ok) failed++;
};
try {
  const undisturbed = await finish();
  report(
    undisturbed.error < 5e-3 && !undisturbed.info.fromCache,
    `undisturbed: error ${undisturbed.error?.toExponential(2)}`,
  );
  for (let round = 0; round < Number(values.rounds); round++) {
    await visit((call) => call('forget', load.id));
    const delayMs = random() * undisturbed.convertMs;
    const reached = await visit(async (call) => {
      // The page closes under this call: its rejection is the kill.
      call('load', load, options).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return call('reached');
    });
    const after = await finish();
    const again = await finish();
    const ok = after.error < 5e-3 && again.error < 5e-3 && again.info?.fromCache === true;
    const how =
      after.failure ??
      again.failure ??
      `error ${after.error.toExponential(2)}, then from the cache ${again.info.fromCache}, error ${again.error.toExponential(2)}`;
    report(ok, `killed after ${delayMs.toFixed(0)} ms (${reached}): ${how}`);
  }
} finally {
  await close();
  rmSync(userDataDir, { recursive: true, force: true });
}
console.log(`seed ${seed}`);
console.log(`kill: ${Number(values.rounds) + 1 - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

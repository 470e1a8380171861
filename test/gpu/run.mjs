// Kernel tests in a real headless Chromium.
//   node test/gpu/run.mjs [--filter TEXT] [--seed N] [--browser-flags "…"] [--built DIR] [--json FILE] [--vendor NAME]
// --built serves an existing build of test/gpu instead of making one; --vendor fails unless the adapter is of that vendor.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';

const { values } = readArguments({
  filter: { type: 'string' },
  seed: { type: 'string' },
  'browser-flags': { type: 'string' },
  built: { type: 'string' },
  json: { type: 'string' },
  vendor: { type: 'string' },
});
const root = values.built ?? (await buildPage(fileURLToPath(new URL('.', import.meta.url)), 'gpu'));
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const { page, close } = await openPage({ root, flags: values['browser-flags'] });
let numRun = 0;

/** Failures, and what was chosen by name; otherwise only how far it has come. */
function show({ name, variant, error, ms }) {
  numRun++;
  if (error || values.filter)
    console.log(
      `${error ? 'FAIL' : 'ok  '} ${name} (${variant}, ${ms.toFixed(0)} ms)${error ? `\n     ${error}` : ''}`,
    );
  else if (numRun % 20 === 0) console.log(`  ${numRun} ran, the last was ${name} (${variant})`);
}

try {
  await page.waitForFunction('globalThis.runGpuTests');
  await page.exposeFunction('heardGpuResult', show);
  const { adapter, results } = await page.evaluate(
    `runGpuTests(${JSON.stringify({ filter: values.filter, seed })})`,
  );
  console.log(`adapter: ${adapter.vendor} ${adapter.architecture} ${adapter.description}, seed ${seed}`);
  const variants = new Map();
  for (const { variant, error } of results) {
    const [passed, failed] = variants.get(variant) ?? [0, 0];
    variants.set(variant, error ? [passed, failed + 1] : [passed + 1, failed]);
  }
  for (const [variant, [passed, failed]] of variants)
    console.log(`  ${variant}: ${passed} passed, ${failed} failed`);
  if (values.json) writeFileSync(values.json, JSON.stringify({ adapter, seed, results }, null, 1));
  const wrongVendor = values.vendor !== undefined && adapter.vendor !== values.vendor;
  if (wrongVendor) console.log(`FAIL the adapter is ${adapter.vendor}, not ${values.vendor}`);
  const failed = results.filter((result) => result.error).length + (wrongVendor ? 1 : 0);
  console.log(`gpu: ${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
} finally {
  await close();
}

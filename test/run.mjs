// `npm test`: install what is missing, then every stage, then one line. Needs nothing but Node.js.
// `npm test -- unit gpu` runs only the stages named.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from '../web/install.mjs';
import { installChromium } from './chromium.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const MODULES = join(REPOSITORY, 'node_modules');
/** Signals that end the stage as well: it runs in a process group of its own, which they do not reach. */
const ENDING = ['SIGINT', 'SIGTERM'];
/** A stage that says nothing for so long hangs; how long all of it takes depends on the machine. */
const LONGEST_SILENCE_MS = 10 * 60_000;
/**
 * Two stages run beside each other: compiling leaves a fifth of two processors idle. Whoever is done takes the next, long
 * ones first, so that both end at about the same time. Whatever is not to be disturbed stands last.
 */
const NUM_LANES = 2;
const ORDER = ['lint', 'check', 'types', 'unit', 'gpu', 'kill', 'quant', 'batch', 'bench', 'starter'];
const ALONE = ['e2e'];
/** Checkpoints of every architecture, and broken ones: with every cache. */
const CHECKPOINTS = ['models', 'malformed'].flatMap((kind) => foldersIn(`test/fixtures/${kind}`));

function foldersIn(path) {
  return readdirSync(join(REPOSITORY, path)).map((name) => `${path}/${name}`);
}

const say = (line) => console.log(line);

/**
 * `count` turns what a stage left into { passed, failed }; without it the stage is one test, its exit code. A stage
 * whose report cannot be read has failed.
 */
const STAGES = {
  lint: { args: [join(MODULES, '@biomejs/biome/bin/biome'), 'check', '.'] },
  types: { args: [join(MODULES, 'typescript/bin/tsc'), '-p', 'tsconfig.json'] },
  unit: {
    args: (report) => [
      join(MODULES, 'vitest/vitest.mjs'),
      ...['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ],
    count: ({ report }) => {
      const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
      return { passed: numPassedTests, failed: numFailedTests };
    },
  },
  gpu: { browser: true, args: ['test/gpu/run.mjs'], count: ({ output }) => lastCount('gpu', output) },
  check: {
    browser: true,
    args: ['test/check/run.mjs', '--weights', 'w16', '--kv', '32,16,8', ...CHECKPOINTS],
    count: ({ output }) => lastCount('check', output),
  },
  // How weights are packed has nothing to do with the cache: the one that rounds nothing shows most.
  quant: {
    browser: true,
    args: ['test/check/run.mjs', '--weights', 'w16', '--kv', '32', ...foldersIn('test/fixtures/quant')],
    count: ({ output }) => lastCount('check', output),
  },
  starter: {
    browser: true,
    args: [
      ...['test/check/run.mjs', '--weights', 'w16', '--kv', '16', '--prompts', '4'],
      'public/models/starter',
    ],
    count: ({ output }) => lastCount('check', output),
  },
  batch: { browser: true, args: ['test/batch/run.mjs'], count: ({ output }) => lastCount('batch', output) },
  bench: {
    browser: true,
    args: ['test/bench/run.mjs', '--smoke', '--quiet'],
    count: ({ output }) => lastCount('bench', output),
  },
  kill: { browser: true, args: ['test/kill/run.mjs'], count: ({ output }) => lastCount('kill', output) },
  e2e: {
    browser: true,
    args: [join(MODULES, 'playwright/cli.js'), 'test', '--reporter=list,json'],
    env: (report) => ({ PLAYWRIGHT_JSON_OUTPUT_FILE: report }),
    count: ({ report }) => {
      const { expected, unexpected, flaky } = JSON.parse(readFileSync(report, 'utf8')).stats;
      return { passed: expected, failed: unexpected + flaky };
    },
  },
};

/** Reads the line `NAME: N passed, N failed` that a runner of ours ends with. */
function lastCount(name, output) {
  const lines = [...output.matchAll(new RegExp(`^${name}: (\\d+) passed, (\\d+) failed\\s*$`, 'gm'))];
  const last = lines.at(-1);
  if (last === undefined) throw new Error(`the runner printed no line "${name}: N passed, N failed"`);
  return { passed: Number(last[1]), failed: Number(last[2]) };
}

/** Ends each program that runs, with its children. */
const running = new Set();
for (const signal of ENDING)
  process.on(signal, () => {
    for (const kill of running) kill();
    process.exit(130);
  });

/** Shows whole lines only, each with the name of its stage before it, because stages run beside one another. */
function showLines(name, text, rest) {
  const lines = (rest + text).split('\n');
  const last = lines.pop() ?? '';
  for (const line of lines) say(`${name} | ${line}`);
  return last;
}

/** Runs one Node program, showing and keeping what it prints. A program that hangs is ended with its children. */
function runNode(name, args, env) {
  return new Promise((done) => {
    const group = process.platform !== 'win32';
    const child = spawn(process.execPath, args, {
      cwd: REPOSITORY,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: group,
    });
    const kill = () => (group ? process.kill(-child.pid, 'SIGKILL') : child.kill('SIGKILL'));
    running.add(kill);
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      kill();
    }, LONGEST_SILENCE_MS);
    let output = '';
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      timer.refresh();
      output += text;
      rest = showLines(name, text, rest);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(kill);
      if (rest !== '') showLines(name, '\n', rest);
      const problem = hangs
        ? `said nothing for ${LONGEST_SILENCE_MS / 60_000} minutes`
        : `ended by ${signal}`;
      done({ output, code, problem: signal === null ? undefined : problem });
    });
  });
}

/** @returns {Promise<{ passed: number; failed: number; problem?: string }>} */
async function runStage(name, stage, report) {
  const args = typeof stage.args === 'function' ? stage.args(report) : stage.args;
  const { output, code, problem } = await runNode(name, args, { TEST_STAGE: name, ...stage.env?.(report) });
  if (problem !== undefined) return { passed: 0, failed: 1, problem };
  if (stage.count === undefined) return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  let counts;
  try {
    counts = stage.count({ output, report });
  } catch (error) {
    return { passed: 0, failed: 1, problem: `no result: ${error.message}` };
  }
  const { passed, failed } = counts;
  if (passed + failed === 0) return { passed, failed: 1, problem: 'it ran no test' };
  // For example a test file that cannot be read: none of its tests failed, for there were none.
  if (code !== 0 && failed === 0)
    return { passed, failed: 1, problem: `all tests passed, but exit code ${code}` };
  return counts;
}

async function main() {
  const wanted = process.argv.slice(2);
  const unknown = wanted.find((name) => !(name in STAGES));
  if (unknown !== undefined)
    throw new Error(`No stage "${unknown}". There are: ${Object.keys(STAGES).join(', ')}.`);
  const stages = Object.entries(STAGES).filter(([name]) => wanted.length === 0 || wanted.includes(name));

  await installPackages(REPOSITORY, say);
  if (stages.some(([, stage]) => stage.browser)) say(`Browser: ${await installChromium(say)}`);

  const reports = mkdtempSync(join(tmpdir(), 'tabmind-test-'));
  const results = new Map();
  const runAll = async (waiting) => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, stage] = next;
      say(`\n== ${name} ==`);
      const startedMs = performance.now();
      const result = await runStage(name, stage, join(reports, `${name}.json`));
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      const problem = result.problem === undefined ? '' : ` (${result.problem})`;
      const line = `${name}: ${result.passed} passed, ${result.failed} failed${problem}, ${seconds} s`;
      results.set(name, { ...result, line });
      say(line);
    }
  };
  try {
    const [alone, shared] = [true, false].map((is) => stages.filter(([name]) => ALONE.includes(name) === is));
    const waiting = shared.sort(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b));
    await Promise.all(Array.from({ length: NUM_LANES }, () => runAll(waiting)));
    await runAll(alone);
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  const summary = stages.map(([name]) => results.get(name));
  const total = (key) => summary.reduce((sum, result) => sum + result[key], 0);
  say(`\n${summary.map(({ line }) => line).join('\n')}\n`);
  say(`${total('passed')} passed, ${total('failed')} failed`);
  process.exitCode = total('failed') === 0 ? 0 : 1;
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

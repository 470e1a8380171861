// `npm start`: install what is missing, build what is old, serve, open a browser. Needs nothing but Node.js.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PAGE_HEADERS } from './content-policy.mjs';
import { installPackages, run } from './install.mjs';
import { serve } from './serve.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(REPOSITORY, 'dist');
const ENTRY = join(DIST, 'index.html');
const SOURCES = ['src', 'web', 'shaders', 'public', 'vite.config.ts', 'tsconfig.json', 'package-lock.json'];
const DEFAULT_PORT = 5173;
const HELP = `npm start -- [options]
  --port N    serve on this port (default: ${DEFAULT_PORT}, or the next free one)
  --no-open   do not open a browser
  --help      this text`;

const say = (line) => console.log(line);

function options() {
  const { values } = parseArgs({
    options: { port: { type: 'string' }, 'no-open': { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.port !== undefined && !(/^\d+$/.test(values.port) && Number(values.port) < 65536)) {
    throw new Error(`--port must be a number from 0 to 65535, not "${values.port}".`);
  }
  return values;
}

/** Time of the newest file or folder below `path`, ms. Folders count: they change when a file is removed. */
async function newest(path) {
  const info = await stat(path);
  if (!info.isDirectory()) return info.mtimeMs;
  const names = await readdir(path);
  return Math.max(info.mtimeMs, ...(await Promise.all(names.map((name) => newest(join(path, name))))));
}

async function buildPage() {
  if (existsSync(ENTRY)) {
    const changedMs = Math.max(...(await Promise.all(SOURCES.map((name) => newest(join(REPOSITORY, name))))));
    if ((await stat(ENTRY)).mtimeMs > changedMs) return;
    say('Building (sources are newer than dist/) …');
  } else {
    say('Building …');
  }
  const started = new Date();
  await run(REPOSITORY, process.execPath, join(REPOSITORY, 'node_modules/vite/bin/vite.js'), 'build');
  // Dated to the start, so that a source saved during the build is built next time.
  await utimes(ENTRY, started, started);
}

async function listen(port) {
  if (port !== undefined) return serve({ root: DIST, pageHeaders: PAGE_HEADERS, port });
  for (let candidate = DEFAULT_PORT; ; candidate++) {
    try {
      return await serve({ root: DIST, pageHeaders: PAGE_HEADERS, port: candidate });
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || candidate === DEFAULT_PORT + 99) throw error;
      say(`Port ${candidate} is busy.`);
    }
  }
}

/** The command that opens a URL, or undefined where nobody would see the browser. */
function opener(url) {
  const { CI, SSH_CONNECTION, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (CI || SSH_CONNECTION) return undefined;
  if (process.platform === 'darwin') return ['open', url];
  if (process.platform === 'win32') return ['cmd', '/c', 'start', '', url];
  return DISPLAY || WAYLAND_DISPLAY ? ['xdg-open', url] : undefined;
}

function openBrowser(url) {
  const [command, ...args] = opener(url) ?? [];
  if (command === undefined) return;
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.once('error', (error) =>
    say(`No browser could be opened (${error.message}): open the address above yourself.`),
  );
  child.unref();
}

async function main() {
  const { port, help, 'no-open': noOpen } = options();
  if (help) return say(HELP);
  await installPackages(REPOSITORY, say);
  await buildPage();
  const server = await listen(port === undefined ? undefined : Number(port));
  say(`\ntabmind: ${server.url}\nStop with Ctrl+C.`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
  if (!noOpen) openBrowser(server.url);
}

main().catch((error) => {
  const busy = error.code === 'EADDRINUSE';
  console.error(busy ? `Port ${error.port} is busy. Try another: npm start -- --port N` : error.message);
  process.exitCode = 1;
});

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../web/install.mjs';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const PLAYWRIGHT = join(REPOSITORY, 'node_modules/playwright');
const NAMES = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser'];

/** WebGPU in a headless Chromium without a GPU: SwiftShader, the same arithmetic on every computer. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  // SwiftShader unrolls that extension's clearing of workgroup memory: compiling the 64 x 64 tile takes 2 s with it.
  '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
];

/**
 * The Chrome or Chromium that tests use: CHROMIUM_PATH, else an installed one, else Playwright's.
 *
 * @returns {string | undefined} path of the program
 * @throws {Error} when CHROMIUM_PATH names no file
 */
export function chromiumPath() {
  const named = process.env.CHROMIUM_PATH;
  if (named) {
    if (!existsSync(named)) throw new Error(`CHROMIUM_PATH names no file: ${named}`);
    return named;
  }
  return installed().find((path) => existsSync(path) && works(path)) ?? playwrightPath();
}

/**
 * chromiumPath(), after installing a Chromium where there is none: Playwright's, else Debian's package.
 *
 * @param {(line: string) => void} say
 * @returns {Promise<string>}
 */
export async function installChromium(say) {
  const found = chromiumPath();
  if (found !== undefined) return found;
  say('No Chrome or Chromium found. Installing the one of Playwright …');
  const failures = [];
  try {
    await run(REPOSITORY, process.execPath, join(PLAYWRIGHT, 'cli.js'), 'install', 'chromium');
    const path = playwrightPath();
    if (path !== undefined) return path;
    failures.push('the Chromium of Playwright does not start (missing system libraries?)');
  } catch (error) {
    failures.push(error.message);
  }
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say(`That failed: ${failures[0]} Installing the package of the distribution …`);
    try {
      await run(REPOSITORY, 'apt-get', 'update');
      await run(REPOSITORY, 'apt-get', 'install', '-y', '--no-install-recommends', 'chromium');
    } catch (error) {
      failures.push(error.message);
    }
  }
  const path = chromiumPath();
  if (path !== undefined) return path;
  const remedy = 'Install Chrome or Chromium, or set CHROMIUM_PATH to one.';
  throw new Error(`No Chromium could be installed: ${failures.join(' ')} ${remedy}`);
}

function installed() {
  if (process.platform === 'darwin') {
    return ['', homedir()].flatMap((base) =>
      ['Google Chrome', 'Chromium'].map((name) => `${base}/Applications/${name}.app/Contents/MacOS/${name}`),
    );
  }
  if (process.platform === 'win32') {
    const { ProgramFiles, LOCALAPPDATA } = process.env;
    const bases = [ProgramFiles, process.env['ProgramFiles(x86)'], LOCALAPPDATA].filter(Boolean);
    return bases.flatMap((base) => [
      join(base, 'Google/Chrome/Application/chrome.exe'),
      join(base, 'Chromium/Application/chrome.exe'),
    ]);
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const usual = ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/google/chrome'];
  return NAMES.flatMap((name) => [...folders, ...usual].map((folder) => join(folder, name)));
}

function playwrightPath() {
  if (!existsSync(PLAYWRIGHT)) return undefined;
  const { chromium } = createRequire(import.meta.url)('playwright');
  const path = chromium.executablePath();
  return existsSync(path) && works(path) ? path : undefined;
}

/**
 * Whether the program starts. Linux only: there a missing library is common and Ubuntu's chromium-browser may be
 * only a pointer to a snap; elsewhere `--version` would open a window.
 */
function works(path) {
  if (process.platform !== 'linux') return true;
  return spawnSync(path, ['--version'], { stdio: 'ignore', timeout: 30_000 }).status === 0;
}

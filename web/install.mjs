import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * Makes node_modules what package-lock.json says, with `npm ci`, where it is not.
 *
 * @param {string} folder the repository
 * @param {(line: string) => void} say
 */
export async function installPackages(folder, say) {
  requireNode(folder);
  const reason = staleReason(folder);
  if (reason === undefined) return;
  say(`Installing packages (${reason}) …`);
  await run(folder, ...npm(), 'ci');
}

/**
 * Runs a command with its output shown.
 *
 * @param {string} folder working directory
 * @param {string} command
 * @param {...string} args
 * @returns {Promise<void>} rejects when the command cannot start or exits with anything but 0
 */
export function run(folder, command, ...args) {
  return new Promise((done, fail) => {
    // Windows starts npm.cmd only through its shell. No argument here comes from outside.
    const shell = process.platform === 'win32' && command !== process.execPath;
    const child = spawn(command, args, { cwd: folder, stdio: 'inherit', shell });
    child.once('error', fail);
    child.once('exit', (code, signal) => {
      if (code === 0) done();
      else
        fail(
          new Error(`\`${[basename(command), ...args].join(' ')}\` ended with ${signal ?? `code ${code}`}.`),
        );
    });
  });
}

/** The npm that started us, where one did: it is the one that surely exists. */
function npm() {
  const started = process.env.npm_execpath;
  return started !== undefined && basename(started) === 'npm-cli.js' ? [process.execPath, started] : ['npm'];
}

function requireNode(folder) {
  const { engines } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const wanted = engines.node.replace('>=', '').split('.').map(Number);
  const have = process.versions.node.split('.').map(Number);
  const differing = wanted.findIndex((part, i) => part !== have[i]);
  if (differing === -1 || have[differing] > wanted[differing]) return;
  throw new Error(
    `Node.js ${process.versions.node} is too old: tabmind needs ${engines.node} (https://nodejs.org).`,
  );
}

/**
 * Compares what npm wrote down about node_modules with the lock file, because times lie: a checkout makes
 * every file new.
 *
 * @param {string} folder
 * @returns {string | undefined} why an install is needed
 */
export function staleReason(folder) {
  const record = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return 'none yet';
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const name = path.replace(/^.*node_modules\//, '');
    const have = installed[path];
    if (have === undefined) {
      if (belongsHere(entry)) return `${name} is missing`;
    } else if (have.version !== entry.version || have.integrity !== entry.integrity) {
      return `${name} ${have.version} should be ${entry.version}`;
    }
  }
  return undefined;
}

/** Optional packages are binaries of one platform; which C library they need is left to npm. */
function belongsHere(entry) {
  if (entry.optional !== true) return true;
  if (entry.os === undefined || entry.cpu === undefined || entry.libc !== undefined) return false;
  return entry.os.includes(process.platform) && entry.cpu.includes(process.arch);
}

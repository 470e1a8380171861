import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/**
 * The commit that is checked out, with '+' when files differ from it; '' without git. A build hands it to its pages as
 * `import.meta.env.VITE_COMMIT`.
 */
export function currentCommit() {
  const git = (...args) => spawnSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' });
  const head = git('rev-parse', '--short=12', 'HEAD');
  if (head.status !== 0) return '';
  const changes = git('status', '--porcelain', '--untracked-files=no');
  return `${head.stdout.trim()}${changes.stdout.trim() === '' ? '' : '+'}`;
}

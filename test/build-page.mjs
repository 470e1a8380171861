import { fileURLToPath } from 'node:url';
import { currentCommit } from '../web/commit.mjs';

const WORKER = fileURLToPath(new URL('../src/worker.ts', import.meta.url));

/**
 * Bundles the test page in `root` into test/.build/NAME and returns that folder. A stage of `npm test` has one of its own,
 * TEST_STAGE: another that serves the same page may run beside it. `beforeWorker`: a file that the worker runs first.
 */
export async function buildPage(root, name, { beforeWorker } = {}) {
  process.env.VITE_COMMIT ??= currentCommit();
  const { build } = await import('vite');
  const outDir = fileURLToPath(new URL(`.build/${process.env.TEST_STAGE ?? name}`, import.meta.url));
  await build({
    configFile: false,
    root,
    base: './',
    publicDir: false,
    logLevel: 'warn',
    worker: { format: 'es', plugins: () => (beforeWorker ? [importFirst(beforeWorker)] : []) },
    build: { outDir, emptyOutDir: true, target: 'es2023', minify: false, chunkSizeWarningLimit: 5000 },
  });
  return outDir;
}

function importFirst(file) {
  return {
    name: 'import-first',
    transform: (code, id) => (id === WORKER ? `import ${JSON.stringify(file)};\n${code}` : undefined),
  };
}

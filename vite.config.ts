import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { currentCommit } from './web/commit.mjs';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Whoever passes the built page on passes the licences on with it. */
const licences: Plugin = {
  name: 'licences',
  generateBundle() {
    for (const fileName of ['LICENSE', 'THIRD-PARTY-NOTICES.md'])
      this.emitFile({ type: 'asset', fileName, source: readFileSync(at(fileName)) });
  },
};

// pages read it as import.meta.env.VITE_COMMIT
process.env.VITE_COMMIT ??= currentCommit();

export default defineConfig({
  root: at('web'),
  base: './',
  publicDir: at('public'),
  plugins: [licences],
  build: {
    outDir: at('dist'),
    emptyOutDir: true,
    target: 'es2023',
    chunkSizeWarningLimit: 400,
    rolldownOptions: { input: [at('web/index.html'), at('web/bench.html')] },
  },
  worker: { format: 'es' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { fs: { allow: [at('.')] } },
});

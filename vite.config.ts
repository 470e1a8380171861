import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Whoever passes the built page on passes the licences on with it. */
const licences: Plugin = {
  name: 'licences',
  generateBundle() {
    for (const fileName of ['LICENSE', 'THIRD-PARTY-NOTICES.md'])
      this.emitFile({ type: 'asset', fileName, source: readFileSync(at(fileName)) });
  },
};

export default defineConfig({
  root: at('web'),
  base: './',
  publicDir: at('public'),
  plugins: [licences],
  build: { outDir: at('dist'), emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 400 },
  worker: { format: 'es' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { fs: { allow: [at('.')] } },
});

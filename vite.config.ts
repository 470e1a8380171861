import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('web'),
  base: './',
  publicDir: at('public'),
  build: { outDir: at('dist'), emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 400 },
  worker: { format: 'es' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { fs: { allow: [at('.')] } },
});

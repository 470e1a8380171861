import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { chunkOf } from './web/chunks.mjs';
import { currentCommit } from './web/commit.mjs';
import { CONTENT_POLICY } from './web/content-policy.mjs';
import { precache } from './web/pwa/precache.mjs';
import { drawings } from './web/svg.mjs';
import { shaders } from './web/wgsl.mjs';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Whoever passes the built page on passes the licences on with it. */
const licences: Plugin = {
  name: 'licences',
  generateBundle() {
    for (const fileName of ['LICENSE', 'THIRD-PARTY-NOTICES.md'])
      this.emitFile({ type: 'asset', fileName, source: readFileSync(at(fileName)) });
  },
};

/** The pages' own copy of the policy, for servers that send no headers. Vite's development server writes styles inline. */
const contentPolicy: Plugin = {
  name: 'content-policy',
  transformIndexHtml: {
    order: 'pre',
    handler: (html, { server }) => {
      const inDevelopment = CONTENT_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
        .replace("connect-src 'self'", "connect-src 'self' ws:")
        .replace(/; require-trusted-types-for.*$/, '');
      return html.replace('%CONTENT_POLICY%', server === undefined ? CONTENT_POLICY : inDevelopment);
    },
  },
};

// pages read it as import.meta.env.VITE_COMMIT
process.env.VITE_COMMIT ??= currentCommit();

export default defineConfig({
  root: at('web'),
  base: './',
  publicDir: at('public'),
  plugins: [licences, contentPolicy, precache(), drawings()],
  build: {
    outDir: at('dist'),
    emptyOutDir: true,
    target: 'es2023',
    // browsers that have WebGPU have module preloading
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 400,
    rolldownOptions: {
      input: [at('web/index.html'), at('web/bench.html')],
      output: {
        codeSplitting: {
          groups: [{ debugName: 'first paint', name: chunkOf(at('web/main.tsx'), at('web/bench/main.tsx')) }],
        },
      },
    },
  },
  worker: { format: 'es', plugins: () => [shaders()] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { fs: { allow: [at('.')] } },
});

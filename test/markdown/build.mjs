import { fileURLToPath } from 'node:url';
import { CONTENT_POLICY } from '../../web/content-policy.mjs';

const ROOT = fileURLToPath(new URL('.', import.meta.url));

/** Bundles the page that shows markdown, under the chat's content policy, and returns its folder. */
export async function buildMarkdownPage() {
  const { build } = await import('vite');
  const outDir = fileURLToPath(new URL('../.build/markdown', import.meta.url));
  const transformIndexHtml = {
    order: 'pre',
    handler: (html) => html.replace('%CONTENT_POLICY%', CONTENT_POLICY),
  };
  await build({
    configFile: false,
    root: ROOT,
    base: './',
    publicDir: false,
    logLevel: 'warn',
    plugins: [{ name: 'content-policy', transformIndexHtml }],
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: { outDir, emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 5000 },
  });
  return outDir;
}

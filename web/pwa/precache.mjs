import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('sw.ts', import.meta.url));
const STARTER = 'models/starter/';
/** What the engine asks a model's folder for. */
const MODEL_FILES =
  /^(config|generation_config|tokenizer|tokenizer_config)\.json$|^chat_template\.jinja$|\.safetensors$/;
/** Read by people, not by the page. */
const LEFT_OUT = /^(LICENSE|THIRD-PARTY-NOTICES\.md)$|^models\/|\.map$/;
/** Vite puts a hash into these names. */
const HASHED = /^assets\//;

const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** Paths below `folder`, with slashes, sorted. */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** URL and version of every file of the page; null where the name holds the version. */
function pageEntries(bundle, publicDir) {
  const emitted = Object.values(bundle).map((file) => [file.fileName, file.source ?? file.code]);
  const copied = filesBelow(publicDir)
    .filter((path) => !LEFT_OUT.test(path))
    .map((path) => [path, readFileSync(join(publicDir, path))]);
  return [...emitted, ...copied]
    .filter(([path]) => !LEFT_OUT.test(path))
    .map(([url, bytes]) => ({ url, revision: HASHED.test(url) ? null : hashOf(bytes) }))
    .sort((a, b) => (a.url < b.url ? -1 : 1));
}

/** Files of the starter model, and one version for all of them. */
function starterFiles(publicDir) {
  const names = filesBelow(join(publicDir, STARTER)).filter((name) => MODEL_FILES.test(name));
  const hash = createHash('sha256');
  for (const name of names) hash.update(name).update(readFileSync(join(publicDir, STARTER, name)));
  return { folder: STARTER, names, revision: hash.digest('hex').slice(0, 16) };
}

/** The service worker as one classic script: not every browser takes modules there. */
async function buildWorker(define) {
  const { build } = await import('vite');
  const result = await build({
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    define: { ...define, 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      lib: { entry: ENTRY, formats: ['iife'], name: 'tabmind' },
    },
  });
  return [result].flat()[0].output[0].code;
}

/** Vite plugin: writes sw.js, which knows every file of the build by its version. */
export function precache() {
  let publicDir = '';
  return {
    name: 'precache',
    apply: 'build',
    configResolved(config) {
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: 'post',
      async handler(_, bundle) {
        const source = await buildWorker({
          __PAGE_FILES__: JSON.stringify(pageEntries(bundle, publicDir)),
          __STARTER__: JSON.stringify(starterFiles(publicDir)),
        });
        this.emitFile({ type: 'asset', fileName: 'sw.js', source });
      },
    },
  };
}

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One import, export-from, dynamic import or glob of a source file. */
export interface Import {
  readonly specifier: string;
  /** True when nothing of it is left in the built page. */
  readonly isTypeOnly: boolean;
}

/** Path from the repository's root → text. */
export type SourceFiles = ReadonlyMap<string, string>;

/** A name ending in `/` is a folder, any other a file without its extension; `type:` allows only `import type`. */
interface Rule {
  readonly from: string;
  readonly to: readonly string[];
}

const TYPES = 'type:';

/** The floors of the house. The first rule whose `from` fits a file lists all that the file may import. */
const RULES: readonly Rule[] = [
  rule('web/', 'web/', 'src/index'),
  rule('src/index', 'src/client', 'src/weights/hosts', 'src/protocol', 'src/model-ref', 'src/errors'),
  rule(
    'src/client',
    'src/wall',
    'src/line',
    'src/streams',
    'src/worker-api',
    'src/protocol',
    'src/model-ref',
    'src/errors',
  ),
  rule('src/wall', 'src/errors'),
  rule('src/line'),
  rule('src/streams', 'type:src/line', 'type:src/worker-api'),
  rule('src/worker', 'src/llm/llm', 'src/line', 'src/wall'),
  rule(
    'src/llm/',
    ...rooms('llm', 'chat', 'engine', 'weights', 'models', 'kvcache', 'runner', 'gpu'),
    'src/worker-api',
    'src/protocol',
    'src/model-ref',
    'src/lazy-part',
    'src/errors',
  ),
  rule('src/chat/', 'src/chat/', 'src/protocol', 'src/errors'),
  rule('src/engine/', 'src/engine/', 'src/kvcache/block-allocator', 'src/protocol', 'src/errors'),
  rule('src/kvcache/prefix-tree', 'src/errors'),
  rule('src/kvcache/block-allocator', 'src/kvcache/prefix-tree', 'src/errors'),
  rule('src/kvcache/kv-pool', 'src/gpu/', 'src/kernels/kv-layout', 'src/errors'),
  rule(
    'src/runner/',
    ...rooms('runner', 'models', 'layers', 'kernels', 'kvcache', 'gpu'),
    ...[
      'src/engine/sampling-params',
      'type:src/engine/batch',
      'type:src/weights/',
      'src/weights/float-values',
      'src/errors',
    ],
  ),
  rule('src/models/', 'src/models/', 'src/layers/', 'type:src/weights/packed-tensor', 'src/errors'),
  rule(
    'src/layers/',
    ...rooms('layers', 'kernels'),
    ...['src/weights/packed-tensor', 'type:src/gpu/', 'type:src/models/config', 'src/errors'],
  ),
  rule('src/kernels/', ...rooms('kernels', 'gpu'), 'src/weights/packed-tensor', 'src/errors', 'shaders/'),
  rule(
    'src/weights/',
    ...rooms('weights', 'gpu'),
    ...[
      'src/kernels/quantize',
      'src/kernels/random-fill',
      'src/kernels/repack',
      'src/kernels/kernel',
      'src/models/config',
      'src/models/weight-spec',
    ],
    ...['src/model-ref', 'src/lazy-part', 'src/errors'],
  ),
  rule('src/gpu/', 'src/gpu/', 'type:src/protocol', 'src/errors', 'shaders/shared/'),
  rule('src/worker-api', 'type:src/protocol', 'type:src/model-ref'),
  rule('src/protocol', 'type:src/model-ref'),
  rule('src/model-ref'),
  rule('src/lazy-part', 'src/errors'),
  rule('src/errors'),
];

function rule(from: string, ...to: readonly string[]): Rule {
  return { from, to };
}

function rooms(...names: readonly string[]): readonly string[] {
  return names.map((name) => `src/${name}/`);
}

const STATIC =
  /^[ \t]*(import|export)\b(\s+type\b(?!\s*from\b|\s*,))?([^;'"`]*?\bfrom)?\s*['"]([^'"\n]+)['"]/gm;
const DYNAMIC = /\bimport(?:\.meta\.glob(?:<[^>(]*>)?)?\(\s*['"`]([^'"`\n]+)['"`]/g;

/** Imports of one file's text, in order of appearance. */
export function importsOf(text: string): readonly Import[] {
  const imports: Import[] = [];
  for (const [, , type, clause = '', specifier = ''] of text.matchAll(STATIC)) {
    const names = /\{([^}]*)\}\s*from$/.exec(clause)?.[1]?.split(',') ?? [];
    const onlyTypes = /^\s*\{/.test(clause) && names.every((name) => /^\s*(type\s|$)/.test(name));
    imports.push({ specifier, isTypeOnly: type !== undefined || onlyTypes });
  }
  for (const [, specifier = ''] of text.matchAll(DYNAMIC)) imports.push({ specifier, isTypeOnly: false });
  return imports;
}

/** Every arrow that runs the wrong way, and every use of what a file may not know, as readable lines. */
export function violations(files: SourceFiles): readonly string[] {
  return [...files].flatMap(([path, text]) => [
    ...importsOf(text).flatMap((entry) => importViolation(path, entry) ?? []),
    ...globalViolations(path, text),
  ]);
}

function importViolation(path: string, { specifier, isTypeOnly }: Import): string | undefined {
  if (!specifier.startsWith('.')) {
    const isUi = /^(@?preact\b|lucide)/.test(specifier);
    return isUi && path.startsWith('src/') ? `${path}: the runtime may not import ${specifier}` : undefined;
  }
  const module = moduleOf(path);
  const target = resolveSpecifier(path, specifier);
  const row = RULES.find(({ from }) => fits(module, from));
  if (row === undefined) return `${path}: stands in no room; give it a rule in test/imports.ts`;
  const allowed = row.to.some((entry) =>
    entry.startsWith(TYPES) ? isTypeOnly && fits(target, entry.slice(TYPES.length)) : fits(target, entry),
  );
  if (allowed) return undefined;
  const onlyAsType = row.to.some(
    (entry) => entry.startsWith(TYPES) && fits(target, entry.slice(TYPES.length)),
  );
  return `${path}: may not import ${target}${onlyAsType ? ' except with `import type`' : ''}`;
}

/** Names that mark a layer: the GPU's entry belongs to gpu/, the page's globals to web/, the worker to the client. */
function globalViolations(path: string, text: string): readonly string[] {
  const code = text.replace(/("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, ' ');
  const found: string[] = [];
  if (/\bnavigator\s*\??\.\s*gpu\b/.test(code) && !path.startsWith('src/gpu/')) {
    found.push(`${path}: only src/gpu may call navigator.gpu`);
  }
  if (!path.startsWith('src/')) return found;
  const page = /(?<![.\w$])(?:globalThis\s*\.\s*)?(document|window)(?=\s*\??[.[])/.exec(code);
  if (page !== null) found.push(`${path}: the runtime may not use ${page[1]}`);
  if (/\bnew\s+(Shared)?Worker\b/.test(code) && path !== 'src/client.ts') {
    found.push(`${path}: only src/client may start a worker`);
  }
  return found;
}

/** Circles of imports, each once, as `a → b → a`. Type imports count: two files that need each other are one. */
export function cycles(files: SourceFiles): readonly string[] {
  const pathOf = new Map([...files.keys()].map((path) => [moduleOf(path), path]));
  const found: string[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (module: string): void => {
    const at = trail.indexOf(module);
    if (at !== -1) found.push([...trail.slice(at), module].join(' → '));
    if (at !== -1 || done.has(module)) return;
    trail.push(module);
    const path = pathOf.get(module) ?? '';
    for (const { specifier } of importsOf(files.get(path) ?? '')) {
      if (specifier.startsWith('.')) visit(resolveModule(pathOf, path, specifier));
    }
    trail.pop();
    done.add(module);
  };
  for (const module of pathOf.keys()) visit(module);
  return found;
}

/** Every source file of src/ and web/. The Node programs of web/ (.mjs) are not part of the page. */
export function readSources(repository: URL): SourceFiles {
  const root = fileURLToPath(repository);
  const paths = ['src', 'web'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (path) => `${folder}/${path.replaceAll('\\', '/')}`,
    ),
  );
  const sources = paths.filter((path) => /\.(ts|tsx)$/.test(path)).sort();
  return new Map(sources.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

const moduleOf = (path: string): string => path.replace(/(\.d)?\.tsx?$/, '');

function resolveSpecifier(path: string, specifier: string): string {
  const bare = specifier.replace(/\?.*$/, '');
  return posix.join(posix.dirname(path), bare).replace(/\.(tsx?|js)$/, '');
}

/** A folder stands for its index file. */
function resolveModule(pathOf: ReadonlyMap<string, string>, path: string, specifier: string): string {
  const module = resolveSpecifier(path, specifier);
  return pathOf.has(module) ? module : pathOf.has(`${module}/index`) ? `${module}/index` : module;
}

const fits = (module: string, pattern: string): boolean =>
  pattern.endsWith('/') ? module.startsWith(pattern) : module === pattern || `${module}/index` === pattern;

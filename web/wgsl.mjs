import { readFileSync } from 'node:fs';

/**
 * The same program without what only people read: comments, indentation, empty lines, and spaces behind signs that begin no longer
 * sign with what follows. WGSL has no strings.
 */
export function stripShader(source) {
  return source
    .split('\n')
    .map((line) => line.replace(/\/\/.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('#') ? line : line.replaceAll(/(?<=[,;={+]) /g, '')))
    .join('\n');
}

/** Vite plugin: shaders are a third of the worker, and half of them is comments. Only in builds. */
export function shaders() {
  return {
    name: 'shaders',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      const [path, query] = id.split('?');
      if (!path.endsWith('.wgsl') || query !== 'raw') return null;
      return `export default ${JSON.stringify(stripShader(readFileSync(path, 'utf8')))};`;
    },
  };
}

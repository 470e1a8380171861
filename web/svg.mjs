import { readFileSync } from 'node:fs';

/** The same drawing without its comment, which THIRD-PARTY-NOTICES.md repeats, without names that nobody asks for, and without spare spaces. */
export function stripDrawing(source) {
  return source
    .replaceAll(/<!--[\s\S]*?-->|\s(class|xmlns)="[^"]*"/g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?(\/?>) ?/g, '$1')
    .trim();
}

/** Vite plugin: icons are in the page before its first paint. Only in builds. */
export function drawings() {
  return {
    name: 'drawings',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      const [path, query] = id.split('?');
      if (!path.endsWith('.svg') || query !== 'raw') return null;
      return `export default ${JSON.stringify(stripDrawing(readFileSync(path, 'utf8')))};`;
    },
  };
}

import { readFileSync } from 'node:fs';

/** Vite plugin, only in builds: files of that ending that are imported as text (`?raw`) come as `strip` leaves them. */
export function stripped(ending, strip) {
  return {
    name: `stripped ${ending}`,
    apply: 'build',
    enforce: 'pre',
    load(id) {
      const [path, query] = id.split('?');
      if (!path.endsWith(ending) || query !== 'raw') return null;
      return `export default ${JSON.stringify(strip(readFileSync(path, 'utf8')))};`;
    },
  };
}

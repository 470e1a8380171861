import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stripShader } from '../../web/wgsl.mjs';

const FOLDER = new URL('../../shaders/', import.meta.url);
const paths = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.wgsl'),
);

const TOKEN = /\w[\w.]*|->|>>=|<<=|[-+*/%&|^<>=!]=|&&|\|\||\+\+|--|<<|>>|[^\s\w]/g;

/** The tokens of a program, and its directives as lines of their own. */
function tokens(source: string): readonly string[] {
  return source.split('\n').flatMap((line) => {
    const code = line.replace(/\/\/.*$/, '').trim();
    return code.startsWith('#') ? [code] : (code.match(TOKEN) ?? []);
  });
}

describe('a shader as it is shipped', () => {
  it.each(paths)('%s says the same as its source, without comments', (path) => {
    const source = readFileSync(new URL(path, FOLDER), 'utf8');
    // the stripper knows line comments only
    expect(source).not.toContain('/*');
    const stripped = stripShader(source);
    // vec4f is another name of vec4<f32>
    const shortened = source.replaceAll(/\bvec([234])<([fiu])32>/g, 'vec$1$2');
    expect(tokens(stripped)).toEqual(tokens(shortened));
    expect(stripped).not.toContain('//');
    expect(stripped.length).toBeLessThan(source.length);
  });
});

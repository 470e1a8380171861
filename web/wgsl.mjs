import { stripped } from './stripped.mjs';

/** WGSL has shorter names for them: vec4f. */
const VECTOR = /\bvec([234])<([fiu])32>/g;
/** Between statements; directives keep lines of their own. */
const SPARE_LINE_ENDS = /(?<=^[^#].*[;{},])\n(?=[^#])/gm;
/** Spaces that part no two words and no two signs. */
const SPARE = / (?=[()[\]{},;:@])|(?<=[()[\]{},;:@]) |(?<=[\w$]) (?=[^\w$])|(?<=[^\w$]) (?=[\w$])/g;

/**
 * The same program without what only people read: comments, indentation, most ends of lines, and spaces beside brackets and signs, but
 * for those between two signs, which would become one; and with the short names of vectors. WGSL has no strings.
 */
export function stripShader(source) {
  return source
    .split('\n')
    .map((line) => line.replace(/\/\/.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('#') ? line : line.replaceAll(SPARE, '').replaceAll(VECTOR, 'vec$1$2')))
    .join('\n')
    .replaceAll(SPARE_LINE_ENDS, '');
}

/** Vite plugin: shaders are a third of the worker, and half of them is comments. */
export const shaders = () => stripped('.wgsl', stripShader);

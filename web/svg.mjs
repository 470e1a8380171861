import { stripped } from './stripped.mjs';

/**
 * The same drawing without its comment, which THIRD-PARTY-NOTICES.md repeats, without names that nobody asks for, and without
 * spare spaces.
 */
export function stripDrawing(source) {
  return source
    .replaceAll(/<!--[\s\S]*?-->|\s(class|xmlns)="[^"]*"/g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?(\/?>) ?/g, '$1')
    .trim();
}

/** Vite plugin: icons are in the page before its first paint. */
export const drawings = () => stripped('.svg', stripDrawing);

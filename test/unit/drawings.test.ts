import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stripDrawing } from '../../web/svg.mjs';

const ICONS = new URL('../../node_modules/lucide-static/icons/', import.meta.url);

describe('stripDrawing', () => {
  it('keeps the drawing', () => {
    const source =
      '<!-- @license x -->\n<svg\n  class="lucide"\n  width="24"\n>\n  <path d="M2 12h2" />\n  <g>\n  </g>\n</svg>\n';
    expect(stripDrawing(source)).toBe('<svg width="24"><path d="M2 12h2"/><g></g></svg>');
  });

  it('of every icon is smaller and has the same shapes', () => {
    const shapes = (text: string) =>
      [...text.matchAll(/\s(d|cx|cy|r|x|y|width|height|points)="([^"]*)"/g)].map(([all]) => all.trim());
    for (const name of readdirSync(ICONS).slice(0, 200)) {
      const source = readFileSync(new URL(name, ICONS), 'utf8');
      expect(shapes(stripDrawing(source)), name).toEqual(shapes(source));
      expect(stripDrawing(source).length).toBeLessThan(source.length);
    }
  });
});

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)));

it('the page names the starter by its very weights, so that new ones are not taken from the cache', () => {
  const hash = createHash('sha256').update(read('public/models/starter/model.safetensors')).digest('hex');
  expect(read('web/state/models.ts').toString()).toContain(`revision: '${hash.slice(0, 16)}'`);
});

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { notices } from '../notices.mjs';

it('THIRD-PARTY-NOTICES.md names what is shipped (else run `node test/notices.mjs`)', () => {
  const written = readFileSync(new URL('../../THIRD-PARTY-NOTICES.md', import.meta.url), 'utf8');
  expect(written).toBe(notices());
  for (const name of ['preact', '@preact/signals-core', 'comlink', 'Self-dialogue corpus', 'Clemens Akens']) {
    expect(written).toContain(name);
  }
});

import { describe, expect, it } from 'vitest';
import { type KvBits, kvLayout } from '../../src/kernels/kv-layout';
import {
  attend,
  cachedToken,
  dot,
  fixedNoise,
  normalise,
  rotate,
  unpackRow,
} from '../../src/runner/self-test-twin';
import { packedLinear } from '../../src/weights/packed-tensor';
import { attentionTwin } from '../reference/attention';
import { packedElement, randomPacked } from '../reference/packed';
import { PagedKv } from '../reference/paged-kv';
import { Random } from '../reference/random';
import { rotateTwin } from '../reference/rope-append';

/** Two twins of the same kernels, written apart: they must agree. */
describe('the twin of the self-test', () => {
  it.each(['w4', 'w8', 'w16'] as const)('unpacks %s like the twin of the kernels', (format) => {
    const random = new Random(5);
    const tensor = packedLinear('t', format, 7, 70, 32);
    const words = randomPacked(tensor, random);
    const rowWords = tensor.codesBytes / tensor.rows / 4;
    for (let row = 0; row < tensor.rows; row++) {
      const scalesAt = tensor.codesBytes / 4 + row * tensor.numGroups;
      const unpacked = unpackRow(tensor, {
        codes: words.subarray(row * rowWords, (row + 1) * rowWords),
        scales: words.subarray(scalesAt, scalesAt + tensor.numGroups),
      });
      const expected = Array.from({ length: 70 }, (_, col) => packedElement(tensor, words, row, col));
      expect([...unpacked]).toEqual(expected);
    }
  });

  it.each([32, 16, 8, 4] as const)('reads a %i-bit cache and attends to it', (kvBits: KvBits) => {
    const random = new Random(6);
    const layout = kvLayout({
      numLayers: 1,
      numKvHeads: 2,
      headDim: 24,
      kvBits,
      blockTokens: 16,
      numBlocks: 3,
    });
    const kv = new PagedKv(layout, new Uint32Array(layout.layerWords), 0);
    const table = [2, 0];
    for (let position = 0; position < 20; position++)
      for (const head of [0, 1])
        for (const side of ['k', 'v'] as const) kv.append(table, side, head, position, random.normals(24));
    const q = random.normals(48);
    for (const softcap of [0, 1.5]) {
      const expected = attentionTwin(q, { kv, table, position: 19, numHeads: 2, window: 0, softcap });
      for (const head of [0, 1]) {
        const rows = (side: 'k' | 'v') =>
          Array.from({ length: 20 }, (_, t) => cachedToken(layout, kv.words, table, side, head, t));
        expect(rows('k')[17]?.[5]).toBe(kv.value(table, 'k', head, 17, 5));
        const out = attend(
          Float64Array.from(q.subarray(24 * head, 24 * head + 24)),
          rows('k'),
          rows('v'),
          softcap,
        );
        for (const [d, value] of out.entries())
          expect(value).toBeCloseTo(expected[24 * head + d] ?? Number.NaN, 5);
      }
    }
  });

  it('normalises, multiplies and rotates', () => {
    const random = new Random(7);
    const x = Float64Array.from(random.normals(16));
    const squares = normalise(x, new Float32Array(16).fill(2), 0).reduce(
      (total, value) => total + value * value,
      0,
    );
    expect(squares / 16).toBeCloseTo(4, 10);
    expect(dot(Float64Array.of(1, 2, 3), Float64Array.of(2, -1, 4))).toEqual({
      value: 12,
      spread: Math.sqrt(152),
    });
    const angles = random.normals(8);
    const head = { rotaryDim: 8, interleaved: false, angles, norm: null };
    expect([...rotate(x, angles)]).toEqual(rotateTwin(x, head));
    expect([...rotate(x, angles, true)]).toEqual(rotateTwin(x, { ...head, interleaved: true }));
  });

  it('makes noise that is always the same and covers its range', () => {
    const noise = fixedNoise(10_000);
    expect(noise).toEqual(fixedNoise(10_000));
    expect(Math.min(...noise)).toBeLessThan(-0.99);
    expect(Math.max(...noise)).toBeGreaterThan(0.99);
    expect(Math.max(...noise.map(Math.abs))).toBeLessThanOrEqual(1);
    expect(Math.abs(noise.reduce((total, value) => total + value, 0)) / 10_000).toBeLessThan(0.02);
  });
});

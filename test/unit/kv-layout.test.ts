import { describe, expect, test } from 'vitest';
import {
  headRatio,
  type KvBits,
  type KvShape,
  kvChunkWords,
  kvCodesAt,
  kvLayout,
  kvParamsAt,
} from '../../src/kernels/kv-layout';
import { planSlabs } from '../../src/kvcache/kv-pool';

const SHAPE: KvShape = {
  numLayers: 3,
  numKvHeads: 2,
  headDim: 128,
  kvBits: 8,
  blockTokens: 16,
  numBlocks: 5,
};

describe('kv layout', () => {
  test.each<[KvBits, number]>([
    [32, 512],
    [16, 256],
    [8, 132],
    [4, 68],
  ])('%i bits of 128 dims cost %i bytes a token, head and side', (kvBits, bytes) => {
    const layout = kvLayout({ ...SHAPE, kvBits });
    expect(layout.blockBytes).toBe(3 * 2 * 2 * 16 * bytes);
    expect(layout.layerWords * 4).toBeGreaterThanOrEqual((5 * layout.blockBytes) / 3);
    expect(layout.layerWords % 64).toBe(0);
  });

  test('every code word and every param has its own place, and together they fill the block', () => {
    for (const kvBits of [32, 16, 8, 4] as const)
      for (const headDim of [8, 80, 96])
        for (const blockTokens of [16, 32] as const) {
          const layout = kvLayout({ ...SHAPE, kvBits, headDim, blockTokens });
          const owners = new Uint8Array(layout.blockWords);
          let claims = 0;
          const claim = (at: number) => {
            owners[at] = (owners[at] ?? 0) + 1;
            claims++;
          };
          for (const side of ['k', 'v'] as const)
            for (let head = 0; head < layout.numKvHeads; head++)
              for (let token = 0; token < blockTokens; token++) {
                const at = kvCodesAt(layout, side, head, token);
                for (let word = 0; word < layout.rowWords; word++) claim(at + word);
                if (kvBits < 16) claim(kvParamsAt(layout, side, head, token));
              }
          expect(owners.every((count) => count === 1)).toBe(true);
          expect(claims).toBe(layout.blockWords);
        }
  });

  test('rows are aligned to their loads', () => {
    for (const headDim of [8, 24, 64, 80, 128])
      for (const kvBits of [32, 16, 8, 4] as const) {
        const layout = kvLayout({ ...SHAPE, headDim, kvBits });
        const words = kvChunkWords(layout);
        expect(layout.rowWords % words).toBe(0);
        expect(layout.blockWords % words).toBe(0);
        expect(layout.paramsAt % words).toBe(0);
      }
    expect(kvChunkWords(kvLayout({ ...SHAPE, headDim: 8, kvBits: 4 }))).toBe(1);
    expect(kvChunkWords(kvLayout(SHAPE))).toBe(4);
  });

  test('shapes that the kernels cannot take are refused', () => {
    for (const wrong of [
      { headDim: 20 },
      { numBlocks: 0 },
      { numKvHeads: 1.5 },
      { blockTokens: 24 as 16 },
      { kvBits: 6 as 8 },
    ])
      expect(() => kvLayout({ ...SHAPE, ...wrong })).toThrow(/no KV layout/);
    expect(headRatio(kvLayout(SHAPE), 14)).toBe(7);
    expect(() => headRatio(kvLayout(SHAPE), 7)).toThrow(/cannot share/);
  });
});

describe('slab plan', () => {
  const layout = kvLayout({ ...SHAPE, numLayers: 28 });
  const layerBytes = layout.layerWords * 4;

  test.each([1, 3, 5, 27, 28, 100])('whole layers, in order, %i at most', (most) => {
    const plans = planSlabs(layout, most * layerBytes + 17);
    expect(plans).toHaveLength(Math.ceil(28 / most));
    let next = 0;
    for (const { firstLayer, numLayers, sizeBytes } of plans) {
      expect(firstLayer).toBe(next);
      expect(numLayers).toBeLessThanOrEqual(most);
      expect(sizeBytes).toBe(numLayers * layerBytes);
      next += numLayers;
    }
    expect(next).toBe(28);
    const sizes = plans.map((plan) => plan.numLayers);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  test('a layer that exceeds the limit is an error', () => {
    expect(() => planSlabs(layout, layerBytes - 1)).toThrow(
      expect.objectContaining({ code: 'device-limits' }),
    );
  });
});

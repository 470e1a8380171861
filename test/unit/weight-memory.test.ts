import { describe, expect, it, vi } from 'vitest';
import { BufferPool } from '../../src/weights/buffer-pool';
import { readBlob, streamPieces } from '../../src/weights/byte-stream';
import { convertWeights } from '../../src/weights/convert';
import { layoutSlabs } from '../../src/weights/slab-layout';
import { packedTensors, weightIdentity } from '../../src/weights/weight-identity';
import type { WeightPlan } from '../../src/weights/weight-plan';
import { CpuSlabMemory } from '../reference/slab-memory';

const MIB = 2 ** 20;
const BLOCK = 64 * 1024;

/** A bf16 matrix of 2 MiB, read in blocks of 64 KiB. */
function matrix() {
  const [rows, cols] = [1024, 1024];
  const spec = {
    kind: 'linear',
    name: 'm',
    group: null,
    rows,
    cols,
    parts: [{ module: 'm', leaf: 'weight' }],
  } as unknown as WeightPlan['spec'];
  const run = {
    tensor: 'm.weight',
    file: 'f',
    dtype: 'BF16',
    begin: 0,
    rows,
    rowBytes: cols * 2,
    destRow: 0,
  } as const;
  const plan: WeightPlan = { spec, runs: [run], quants: [] };
  const packed = packedTensors(spec, weightIdentity({ id: 'm', url: '' }, {}), {});
  const layout = layoutSlabs(
    packed.map((one) => ({ packed: one, group: spec.group })),
    Number.POSITIVE_INFINITY,
  );
  return { plan, layout, checkpointBytes: rows * cols * 2 };
}

describe('what a load holds in memory', () => {
  it('converts any number of blocks in as many buffers as are read at once', async () => {
    const { plan, layout, checkpointBytes } = matrix();
    const buffers = new Set<ArrayBuffer>();
    let [open, most, numReads] = [0, 0, 0];
    const memory = new CpuSlabMemory(layout);
    await memory.startConversion({ maxBlockBytes: BLOCK + 4, numFlags: 1, programs: [], repacks: [] });
    const pack = memory.pack.bind(memory);
    vi.spyOn(memory, 'pack').mockImplementation((...call) => {
      open--;
      pack(...call);
    });
    const source = {
      id: 'm',
      readText: async () => '',
      tryReadText: async () => null,
      size: async () => checkpointBytes,
      readRange: async (_: string, start: number, end: number, __?: AbortSignal, pool?: BufferPool) => {
        open++;
        most = Math.max(most, open);
        numReads++;
        const bytes = pool?.take(end - start) ?? new Uint8Array(end - start);
        buffers.add(bytes.buffer);
        return bytes.fill(start / BLOCK);
      },
    };
    const saved = new Set<ArrayBuffer>();
    await convertWeights({
      ...{ source, plans: [plan], layout, memory, chunkBytes: 32 * 1024, maxBlockBytes: BLOCK },
      missing: Array.from({ length: Math.ceil(layout.imageBytes / (32 * 1024)) }, (_, i) => i),
      saveChunk: async (_, { buffer }) => {
        saved.add(buffer);
      },
      onBytes: () => undefined,
    });
    expect(numReads).toBe(checkpointBytes / BLOCK);
    // six ahead, and the one that is packed
    expect(most).toBeLessThanOrEqual(7);
    expect(buffers.size).toBeLessThanOrEqual(7);
    expect(saved.size).toBe(1);
  });

  it('reads blob after blob into the same memory', async () => {
    const pool = new BufferPool(MIB, 1);
    const made = vi.spyOn(globalThis, 'ArrayBuffer');
    try {
      for (let i = 0; i < 5; i++) {
        const bytes = await readBlob(new Blob([new Uint8Array(MIB - i).fill(i)]), pool);
        expect([bytes.length, bytes[0], bytes.at(-1)]).toEqual([MIB - i, i, i]);
        pool.give(bytes);
      }
      expect(made.mock.calls.filter(([length]) => length === MIB).length).toBe(1);
    } finally {
      made.mockRestore();
    }
  });

  it('takes a stream apart in one buffer', async () => {
    const text = 'x'.repeat(200_000);
    const body = new Response(text).body;
    if (!body) throw new Error('no body');
    const buffers = new Set<number>();
    let total = 0;
    for await (const piece of streamPieces(body, new BufferPool(1000, 1), 1000)) {
      buffers.add(piece.buffer.byteLength);
      total += piece.length;
    }
    expect([total, ...buffers]).toEqual([200_000, 1000]);
  });

  it('keeps no more buffers than it may, and none of another size', () => {
    const pool = new BufferPool(800, 1);
    const [first, second] = [pool.take(800), pool.take(200)];
    expect(second.buffer.byteLength).toBe(800);
    for (const bytes of [first, second, pool.take(100), pool.take(801)]) pool.give(bytes);
    expect(pool.take(500).buffer).toBe(first.buffer);
    expect(pool.take(500).buffer).not.toBe(second.buffer);
    expect([pool.take(100), pool.take(801)].map(({ buffer }) => buffer.byteLength)).toEqual([100, 801]);
  });
});

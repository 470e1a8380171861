import { embedding } from '../../src/kernels/embedding';
import { CHUNK_ROW_WORDS, SLOT, SLOT_WORDS, stateLayout } from '../../src/kernels/step-state';
import { packedLinear } from '../../src/weights/packed-tensor';
import { embeddingTwin } from '../reference/embedding';
import { randomPacked } from '../reference/packed';
import { assertClose, gpuTest, nans } from './harness';

for (const format of ['w4', 'w8', 'w16'] as const)
  for (const phase of ['prefill', 'decode'] as const)
    gpuTest(`embedding ${format} ${phase}`, async ({ gpu, random, runStep }) => {
      for (let round = 0; round < 3; round++) {
        const [vocab, cols, numRows] = [
          random.between(3, 70),
          random.between(1, 80) * 4,
          random.between(1, 9),
        ];
        const table = {
          ...packedLinear('embed', format, vocab, cols, random.pick([32, 64, 128])),
          slab: 0,
          byteOffset: 256,
        };
        const packed = randomPacked(table, random);
        const weights = new Uint32Array(64 + packed.length);
        weights.set(packed, 64);
        const layout = stateLayout({
          maxSlots: 16,
          maxChunkTokens: 16,
          maxBlocksPerSequence: 2,
          contextLength: 4,
          rotaryDim: 4,
          numRopeTables: 1,
        });
        const state = new Uint32Array(layout.totalWords);
        const ids = Array.from({ length: numRows }, () => random.below(vocab));
        for (const [row, id] of ids.entries()) {
          const slot = 15 - row;
          state[layout.rowsAt + row] = slot;
          if (phase === 'prefill') state[layout.chunkAt + row * CHUNK_ROW_WORDS] = id;
          else state[layout.slotsAt + slot * SLOT_WORDS + SLOT.token] = id;
        }
        const scale = 0.5 + random.uniform();
        const dispatch = embedding(gpu, layout, {
          table,
          numRows,
          outAt: 8,
          scale,
          rows: phase === 'prefill' ? 'chunk' : 'decode',
        });
        const { scratch } = await runStep({ weights, state, scratch: nans(8 + numRows * cols) }, [dispatch]);
        assertClose(
          scratch.subarray(8, 8 + numRows * cols),
          embeddingTwin(table, packed, ids, scale),
          { rel: 1e-6 },
          `${vocab}x${cols}, ${numRows} rows`,
        );
      }
    });

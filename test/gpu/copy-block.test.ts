import { copyBlock } from '../../src/kernels/copy-block';
import { kvLayout } from '../../src/kernels/kv-layout';
import { assertEqual, gpuTest } from './harness';

gpuTest('copy_block copies whole blocks in all layers and nothing else', async ({ gpu, random, runStep }) => {
  const layout = kvLayout({
    numLayers: random.between(1, 5),
    numKvHeads: random.between(1, 9),
    headDim: random.pick([8, 24, 128]),
    kvBits: random.pick([32, 16, 8, 4]),
    blockTokens: random.pick([16, 32]),
    numBlocks: 5,
  });
  const { numLayers, layerWords, blockWords } = layout;
  const kv = Uint32Array.from({ length: numLayers * layerWords + 64 }, () => random.below(2 ** 32));
  const [from, to, last] = random.pick([
    [0, 4, 1],
    [3, 1, 3],
    [2, 3, 0],
  ] as const);
  const expected = kv.slice();
  const copy = (source: number, target: number) => {
    for (let layer = 0; layer < numLayers; layer++)
      for (let word = 0; word < blockWords; word++)
        expected[layer * layerWords + target * blockWords + word] =
          expected[layer * layerWords + source * blockWords + word] ?? 0;
    return copyBlock(gpu, layout, { from: source, to: target, numLayers });
  };
  // in order: the second takes what the first has brought
  const result = await runStep({ kv }, [copy(from, to), copy(to, last)]);
  const wrong = expected.findIndex((word, i) => word !== result.kv[i]);
  assertEqual(wrong, -1, 'first wrong word');
});

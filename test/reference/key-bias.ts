import { KeyBiasTables, type LayerKeyBias } from '../../src/runner/key-bias';
import type { Random } from './random';
import { rotateTwin } from './rope-append';

/** A made-up K bias of one layer that is kept out of its cache. */
export interface KeyBiasScene {
  readonly layer: LayerKeyBias;
  readonly numHeads: number;
  readonly headDim: number;
  readonly rotaryDim: number;
  readonly interleaved: boolean;
}

type Shape = Omit<KeyBiasScene, 'layer'> & { readonly numKvHeads: number; readonly numPairs: number };

/** Every head has pairs of its own, some fewer than there is room for; dims that are not rotated all have a bias. */
export function randomKeyBias(random: Random, shape: Shape, size: number): KeyBiasScene {
  const { numKvHeads, headDim, rotaryDim, numPairs } = shape;
  const values = new Float32Array(numKvHeads * headDim);
  const pairs = Array.from({ length: numKvHeads }, (_, head) => {
    const all = Array.from({ length: rotaryDim / 2 }, (_, pair) => pair);
    const most = Math.min(numPairs, all.length);
    const count = head === 0 ? most : random.between(0, most);
    const list = Array.from({ length: count }, () => all.splice(random.below(all.length), 1)[0] ?? 0);
    const dims = list.flatMap((pair) => dimsOf(shape, pair));
    for (let d = rotaryDim; d < headDim; d++) dims.push(d);
    for (const d of dims) values[head * headDim + d] = size * random.normal();
    return list;
  });
  return { ...shape, layer: { values, pairs, numPairs } };
}

/** Words of the table as the kernels read it. */
export function keyBiasTable(scene: KeyBiasScene): Uint32Array {
  const { numHeads, headDim, rotaryDim, interleaved, layer } = scene;
  const ropes = [{ theta: 1, rotaryDim, scaling: null }];
  const config = {
    ...{ numHeads, headDim, ropes, layerRopes: [0], interleavedRope: interleaved, attentionSoftcap: 0 },
    numKvHeads: layer.pairs.length,
  };
  return new KeyBiasTables(config, [layer]).words;
}

/** R b of one kv head at a position with these (cos, sin) pairs; of rotated dims only, unless `all`. */
export function rotatedBias(
  scene: KeyBiasScene,
  kvHead: number,
  angles: ArrayLike<number>,
  all: boolean,
): number[] {
  const { headDim, rotaryDim, interleaved, layer } = scene;
  const bias = layer.values.slice(kvHead * headDim, (kvHead + 1) * headDim);
  if (!all) bias.fill(0, rotaryDim);
  return rotateTwin(bias, { rotaryDim, interleaved, angles, norm: null });
}

/** w of one query head, [numPairs][2]; zeros behind the pairs that its kv head has. */
export function termsTwin(scene: KeyBiasScene, kvHead: number, q: ArrayLike<number>): number[] {
  const { headDim, layer } = scene;
  const terms = new Array<number>(2 * layer.numPairs).fill(0);
  for (const [n, pair] of (layer.pairs[kvHead] ?? []).entries()) {
    const [i, j] = dimsOf(scene, pair);
    const [a, b] = [layer.values[kvHead * headDim + i] ?? 0, layer.values[kvHead * headDim + j] ?? 0];
    const [x, y] = [q[i] ?? Number.NaN, q[j] ?? Number.NaN];
    terms[2 * n] = x * a + y * b;
    terms[2 * n + 1] = y * a - x * b;
  }
  return terms;
}

function dimsOf({ interleaved, rotaryDim }: Pick<KeyBiasScene, 'interleaved' | 'rotaryDim'>, pair: number) {
  return interleaved ? ([2 * pair, 2 * pair + 1] as const) : ([pair, pair + rotaryDim / 2] as const);
}

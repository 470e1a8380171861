import { keyBiasFloats } from '../../src/kernels/key-bias';
import { keyBiasTable, randomKeyBias, rotatedBias, termsTwin } from '../reference/key-bias';
import type { Random } from '../reference/random';
import type { KvScene } from './kv-scene';

export interface BiasSceneShape {
  readonly headDim: number;
  readonly ratio: number;
  readonly numKvHeads: number;
  readonly softcap?: number;
  /** Pairs of K bias that are kept out of the cache; default 0. */
  readonly biasPairs?: number;
  /** Default headDim. */
  readonly rotaryDim?: number;
  /** Default: either. */
  readonly interleaved?: boolean;
}

/** A K bias, how it gets into the buffers, and what it adds to the keys. */
export function biasScene(shape: BiasSceneShape, random: Random) {
  const { numKvHeads, ratio, headDim, rotaryDim = headDim, biasPairs: numPairs = 0, softcap = 0 } = shape;
  if (numPairs === 0) return null;
  const numHeads = numKvHeads * ratio;
  const interleaved = shape.interleaved ?? random.below(2) === 0;
  const bias = randomKeyBias(random, { numKvHeads, numHeads, headDim, rotaryDim, interleaved, numPairs }, 8);
  const table = keyBiasTable(bias);
  const rowFloats = keyBiasFloats(numHeads, numPairs) + 4;
  const anglesOf = ({ state, stateLayout }: KvScene) =>
    new Float32Array(state.buffer, 4 * (stateLayout.ropeAt + stateLayout.ropeTableWords), 256 * rotaryDim);
  return {
    values: bias.layer.values,
    rowFloats,
    state: { rotaryDim, numRopeTables: 2, keyBiasWords: table.length },
    /** Angles of rope table 1 and the bias table, into the step state. */
    fillState(scene: KvScene) {
      const angles = anglesOf(scene);
      for (let i = 0; i < angles.length; i += 2) {
        const angle = 2 * Math.PI * random.uniform();
        angles.set([Math.cos(angle), Math.sin(angle)], i);
      }
      scene.state.set(table, scene.stateLayout.keyBiasAt);
      return { tableAt: scene.stateLayout.keyBiasAt, numPairs, termsAt: 0, termsStride: 0 };
    },
    place(scene: KvScene, scratch: Float32Array, queries: readonly Float32Array[], termsAt: number) {
      const call = this.fillState(scene);
      for (const [row, q] of queries.entries())
        for (let head = 0; head < numHeads; head++) {
          const terms = termsTwin(
            bias,
            Math.floor(head / ratio),
            q.subarray(head * headDim, (head + 1) * headDim),
          );
          scratch.set(terms, termsAt + row * rowFloats + head * 2 * numPairs);
        }
      return { ...call, termsAt, termsStride: rowFloats, rope: { table: 1, rotaryDim } };
    },
    /** Where scores are capped, what the same bias adds to all of them is not in the terms. */
    twin: (scene: KvScene) => ({
      keyBias: (kvHead: number, position: number) =>
        rotatedBias(bias, kvHead, anglesOf(scene).subarray(position * rotaryDim), softcap === 0),
    }),
  };
}

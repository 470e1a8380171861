import type { KvShape } from '../kvcache/kv-pool';
import type { WeightIdentity } from '../weights/weight-identity';

/** To be raised whenever the contents of a KV block mean something else than before. */
const CONTENTS_VERSION = 2;

/** Model and layout in one string: a session restored under another one would be noise. */
export function sessionKey(identity: WeightIdentity, randomSeed: number | null, shape: KvShape): string {
  const { id, revision, weightBits, headBits, groupSize } = identity;
  const { numLayers, numKvHeads, headDim, kvBits, blockTokens } = shape;
  return JSON.stringify([
    CONTENTS_VERSION,
    ...[id, revision, weightBits, headBits, groupSize, randomSeed],
    ...[numLayers, numKvHeads, headDim, kvBits, blockTokens],
  ]);
}

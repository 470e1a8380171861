import { TabmindError } from '../errors';
import type { RandomModel } from '../model-ref';
import { RANDOM_SHAPES } from './random-shapes';
import type { VersionedSource } from './versioned-source';

/**
 * A checkpoint that consists of its config.json: the weights are drawn on the GPU (random-weights.ts). Throws
 * `bad-request` for a shape that is not known.
 */
export function createRandomSource({ id, shape }: RandomModel): VersionedSource {
  const config: string | undefined = RANDOM_SHAPES[shape];
  if (config === undefined)
    throw new TabmindError('bad-request', `There is no shape "${shape}".`, {
      remedy: `Choose one of: ${Object.keys(RANDOM_SHAPES).join(', ')}.`,
      details: { shape },
    });
  const missing = (path: string) => new TabmindError('not-found', `${id}: a random model has no ${path}.`);
  return {
    id,
    readText: async (path) => {
      if (path !== 'config.json') throw missing(path);
      return config;
    },
    tryReadText: async (path) => (path === 'config.json' ? config : null),
    size: async (path) => (path === 'config.json' ? new TextEncoder().encode(config).length : null),
    readRange: async (path) => {
      throw missing(path);
    },
    version: async () => null,
  };
}

import { embed } from '../layers/embedding';
import type { ForwardContext } from '../layers/forward-context';
import type { Architecture } from './architecture';

/** hidden = scaled embedding of the tokens, then `block` for every layer. */
export function decoder(block: (step: ForwardContext, layer: number) => void): Architecture['forward'] {
  return (config, step) => {
    embed(step, 'embed', config.embeddingScale);
    for (let layer = 0; layer < config.numLayers; layer++) block(step, layer);
  };
}

import type { ForwardContext } from '../layers/forward-context';
import type { ConfigFamily, ModelConfig } from './config';
import type { WeightSpec } from './weight-spec';

/** One family of models: how config.json describes it, what it takes from a checkpoint, how a step runs through it. */
export interface Architecture extends ConfigFamily {
  weights(config: ModelConfig): readonly WeightSpec[];
  /** Records all layers, from token ids to the last hidden state (before the final norm). */
  forward(config: ModelConfig, step: ForwardContext): void;
}

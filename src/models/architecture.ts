import type { ForwardContext } from '../layers/forward-context';
import type { ModelConfig } from './config';
import type { WeightSpec } from './weight-spec';

/** One family of models: what it takes from a checkpoint, and how a step runs through it. */
export interface Architecture {
  /** Values of config.json's model_type. */
  readonly modelTypes: readonly string[];
  /** Throws `unsupported-model` for a variant that the family does not cover. */
  weights(config: ModelConfig): readonly WeightSpec[];
  /** Records all layers, from token ids to the last hidden state (before the final norm). */
  forward(config: ModelConfig, step: ForwardContext): void;
}

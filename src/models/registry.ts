import { TabmindError } from '../errors';
import type { Architecture } from './architecture';
import { llama } from './llama';

const ARCHITECTURES: readonly Architecture[] = [llama];

export function supportedModelTypes(): readonly string[] {
  return ARCHITECTURES.flatMap((architecture) => architecture.modelTypes);
}

/** Throws `unsupported-model` naming what is supported. */
export function architectureOf(modelType: string): Architecture {
  const found = ARCHITECTURES.find((architecture) => architecture.modelTypes.includes(modelType));
  if (found) return found;
  throw new TabmindError(
    'unsupported-model',
    `config.json: model_type "${modelType}" is not supported. Supported are: ${supportedModelTypes().join(', ')}.`,
    { remedy: 'Choose a model of a supported architecture.', details: { modelType } },
  );
}

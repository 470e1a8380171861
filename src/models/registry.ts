import { TabmindError } from '../errors';
import type { Architecture } from './architecture';
import { type ModelConfig, readModelConfig } from './config';
import { configError, type JsonObject, parseJsonObject, unsupported } from './config-fields';
import { ernie45 } from './ernie4-5';
import { exaone4 } from './exaone4';
import { gemma } from './gemma';
import { gemma2 } from './gemma2';
import { gemma3 } from './gemma3';
import { glm4 } from './glm4';
import { granite } from './granite';
import { hunyuan } from './hunyuan';
import { internlm2 } from './internlm2';
import { internlm3 } from './internlm3';
import { llama } from './llama';
import { ministral3 } from './ministral3';
import { mistral } from './mistral';
import { olmo2, olmo3 } from './olmo';
import { phi3 } from './phi3';
import { qwen2 } from './qwen2';
import { qwen3 } from './qwen3';
import { smollm3 } from './smollm3';

const ARCHITECTURES: readonly Architecture[] = [
  ernie45,
  exaone4,
  gemma,
  gemma2,
  gemma3,
  glm4,
  granite,
  hunyuan,
  internlm2,
  internlm3,
  llama,
  ministral3,
  mistral,
  olmo2,
  olmo3,
  phi3,
  qwen2,
  qwen3,
  smollm3,
];

export function supportedModelTypes(): readonly string[] {
  return ARCHITECTURES.map(({ modelType }) => modelType);
}

/** Throws `unsupported-model` naming what is supported. */
export function architectureOf(modelType: string): Architecture {
  const found = ARCHITECTURES.find((architecture) => architecture.modelType === modelType);
  if (found) return found;
  throw new TabmindError(
    'unsupported-model',
    `config.json: model_type "${modelType}" is not supported. Supported are: ${supportedModelTypes().join(', ')}.`,
    { remedy: 'Choose a model of a supported architecture.', details: { modelType } },
  );
}

/**
 * Reads and checks config.json, and the stop ids of generation_config.json. Throws `bad-checkpoint` naming the key, or
 * `unsupported-model` naming the architecture or the value.
 */
export function parseModelConfig(configText: string, generationText: string | null = null): ModelConfig {
  const raw = parseJsonObject('config.json', configText);
  const generation = generationText === null ? {} : parseJsonObject('generation_config.json', generationText);
  return readModelConfig(raw, generation, familyOf(raw));
}

function familyOf(raw: JsonObject): Architecture {
  if (typeof raw.model_type === 'string') {
    const found = ARCHITECTURES.find((architecture) => architecture.modelType === raw.model_type);
    if (found) return found;
    throw unsupported('model_type', raw.model_type, supportedModelTypes());
  }
  const [className]: readonly unknown[] = Array.isArray(raw.architectures) ? raw.architectures : [];
  if (typeof className !== 'string') throw configError('model_type', 'is missing, and so is architectures');
  const found = ARCHITECTURES.find((architecture) => architecture.className === className);
  if (found) return found;
  throw unsupported(
    'architectures',
    className,
    ARCHITECTURES.map((architecture) => architecture.className),
  );
}

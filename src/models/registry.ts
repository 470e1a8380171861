import { TabmindError } from '../errors';
import type { Architecture } from './architecture';
import { type ModelConfig, readModelConfig } from './config';
import { configError, isObject, type JsonObject, parseJsonObject } from './config-fields';
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
  throw unknownArchitecture('model_type', modelType, {});
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
    throw unknownArchitecture('model_type', raw.model_type, raw);
  }
  const [className]: readonly unknown[] = Array.isArray(raw.architectures) ? raw.architectures : [];
  if (typeof className !== 'string') throw configError('model_type', 'is missing, and so is architectures');
  const found = ARCHITECTURES.find((architecture) => architecture.className === className);
  if (found) return found;
  throw unknownArchitecture('architectures', className, raw);
}

/** The refusal says what kind of model it is, so that nobody waits for a fix of what is no oversight. */
function unknownArchitecture(key: string, name: string, raw: JsonObject): TabmindError {
  const kind = kindOf(name, raw);
  return new TabmindError(
    'unsupported-model',
    `config.json: ${key} is "${name}"${kind === null ? '' : `, ${kind}`}, which tabmind does not support. ` +
      `Supported are the dense decoders ${supportedModelTypes().join(', ')}.`,
    {
      meaning: 'This model computes in a way that tabmind has no kernels for.',
      remedy: 'Choose a model of a supported architecture.',
      details: { file: 'config.json', key, value: name },
    },
  );
}

const EXPERT_COUNTS = ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts'];

/** In words, where config.json tells; null for a decoder that is only unknown. */
function kindOf(name: string, raw: JsonObject): string | null {
  const inner = isObject(raw.text_config) ? raw.text_config : raw;
  if (
    /moe|mixtral|deepseek_v|gpt_oss/i.test(name) ||
    EXPERT_COUNTS.some((key) => Number(inner[key] ?? 0) > 1)
  )
    return 'a mixture of experts';
  const layers: readonly unknown[] = Array.isArray(inner.layer_types) ? inner.layer_types : [];
  const isOdd = (type: unknown) => !/^(full|sliding|chunked)_attention$/.test(String(type));
  if (layers.some(isOdd)) return 'a hybrid of attention and other layers';
  if (/mamba|rwkv|ssm/i.test(name)) return 'a state-space model';
  if (isObject(raw.vision_config) || isObject(raw.audio_config)) return 'a model of more than text';
  if (raw.is_encoder_decoder === true) return 'an encoder with a decoder';
  return null;
}

import { TabmindError } from '../../errors';
import type { JsonObject } from '../../models/config';

/** How the linears of a checkpoint are stored. */
export type CheckpointFormat = 'float';

/**
 * Decides from config.json how the weights are stored. Throws `unsupported-model` naming the method where tabmind cannot
 * read them.
 */
export function checkpointFormat(rawConfig: JsonObject): CheckpointFormat {
  const settings = rawConfig.quantization_config ?? rawConfig.compression_config ?? null;
  if (settings === null) return 'float';
  const fields: JsonObject = typeof settings === 'object' ? (settings as JsonObject) : {};
  const method = typeof fields.quant_method === 'string' ? fields.quant_method : 'unnamed';
  throw new TabmindError(
    'unsupported-model',
    `config.json: quantization_config names the method "${method}", which tabmind does not read.`,
    {
      meaning: 'tabmind reads float checkpoints (float16, bfloat16, float32) and makes them small itself.',
      remedy: 'Choose the original, unquantised checkpoint of this model.',
      details: { file: 'config.json', key: 'quantization_config', method },
    },
  );
}

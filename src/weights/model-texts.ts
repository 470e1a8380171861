import type { ModelSource, ModelTexts } from './source';
import type { WeightIdentity } from './weight-identity';
import type { WeightStore } from './weight-store';

/**
 * From the cache when the whole model is in it (then nothing is requested), else from the source. Throws `not-found`
 * when there is no config.json.
 */
export async function readModelTexts(
  source: ModelSource,
  store: WeightStore | null,
  identity: WeightIdentity,
  signal?: AbortSignal,
): Promise<ModelTexts> {
  const manifest = await store?.findManifest(identity);
  const cached = manifest && (await store?.readTexts(manifest.key));
  if (cached) return cached;
  const [config, generationConfig, tokenizer, tokenizerConfig, chatTemplate] = await Promise.all([
    source.readText('config.json', signal),
    source.tryReadText('generation_config.json', signal),
    source.tryReadText('tokenizer.json', signal),
    source.tryReadText('tokenizer_config.json', signal),
    source.tryReadText('chat_template.jinja', signal),
  ]);
  return { config, generationConfig, tokenizer, tokenizerConfig, chatTemplate };
}

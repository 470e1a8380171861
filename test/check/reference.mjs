import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = (folder, file) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const tryRead = (folder, file) => {
  try {
    return read(folder, file);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
};

/**
 * What a checkpoint folder expects: { expect } for a malformed one, or { prompts } with, for each prompt,
 * ids, logits of its last position (or null), greedy ids (or null), the gap at each greedy step, and argmax/gap of
 * every position (or null). Reads reference.json ("tiny-reference/1") and expected.json of the two trained models.
 */
export function readReference(folder) {
  const expect = tryRead(folder, 'expect.json');
  if (expect) return { expect };
  const prompts = [];
  const reference = tryRead(folder, 'reference.json');
  for (const prompt of reference?.prompts ?? [])
    prompts.push({
      ids: prompt.ids,
      logits: prompt.logits_last,
      std: prompt.logits_std,
      greedy: prompt.greedy?.ids ?? null,
      gaps: prompt.greedy?.gap ?? null,
      argmax: prompt.argmax_all,
      argmaxGaps: prompt.gap_all,
    });
  const expected = tryRead(folder, 'expected.json');
  for (const [index, prompt] of (expected?.prompts ?? []).entries())
    prompts.push({
      ids: prompt.prompt_ids,
      logits:
        index === 0 && expected.first_prompt_last_logits_f32_base64
          ? floats(expected.first_prompt_last_logits_f32_base64)
          : null,
      std: null,
      greedy: prompt.greedy_ids,
      gaps: prompt.gap_top1_top2 ?? null,
      argmax: null,
      argmaxGaps: null,
    });
  if (expected?.bos_only_greedy_ids)
    prompts.push({
      ids: [read(folder, 'config.json').bos_token_id],
      logits: expected.bos_only_first_logits,
      std: null,
      // The recorded ids open with the BOS itself; beyond 200 steps the gaps were not recorded to be safe.
      greedy: expected.bos_only_greedy_ids.slice(1, 201),
      gaps: null,
      argmax: null,
      argmaxGaps: null,
    });
  if (prompts.length === 0) throw new Error(`${folder}: no reference.json, expected.json or expect.json`);
  return { prompts };
}

function floats(base64) {
  const bytes = Buffer.from(base64, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

export function relativeError(actual, expected) {
  let difference = 0;
  let norm = 0;
  for (const [i, value] of expected.entries()) {
    difference += (actual[i] - value) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(difference / norm);
}

export function standardDeviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

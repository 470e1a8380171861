import { relativeError, standardDeviation } from './reference.mjs';

/** Accepted relative L2 error of the last logits (test/fixtures/README.md); null = none is defined, only reported. */
export function acceptedError({ kv, weights, f16, biasApart, int8 }) {
  if (weights !== 16) return null;
  if (f16) return 1.5e-2;
  if (kv === 32) return 2e-3;
  if (kv === 16) return 5e-3;
  if (kv === 8) return int8 === undefined ? null : 2 * (biasApart ?? int8);
  return null;
}

/**
 * Compares one prompt. Teacher forcing: arg max must equal the reference wherever its gap exceeds 8 × accepted error ×
 * std; with exact arithmetic (f32 cache) the free-running ids must all be equal.
 */
export function comparePrompt(prompt, measured, accepted, exact) {
  const { last, argmax, generated } = measured;
  const error = prompt.logits ? relativeError(last, prompt.logits) : null;
  const std = prompt.std ?? standardDeviation(last);
  const sure = 8 * (accepted ?? Number.POSITIVE_INFINITY) * std;
  const failures = [];
  if (error !== null && accepted !== null && !(error < accepted))
    failures.push(`error ${error.toExponential(2)}`);
  if (prompt.argmax && accepted !== null)
    for (const [i, id] of prompt.argmax.entries())
      if (argmax[i] !== id && prompt.argmaxGaps[i] > sure)
        failures.push(`position ${i}: ${argmax[i]}, not ${id}`);
  const greedy = prompt.greedy
    ? compareGreedy(prompt, argmax, generated, sure, accepted, exact)
    : { text: 'none' };
  if (greedy.failure) failures.push(greedy.failure);
  return { error, greedy: greedy.text, failures };
}

function compareGreedy(prompt, argmax, generated, sure, accepted, exact) {
  const { greedy, gaps, ids } = prompt;
  const differs = greedy.findIndex((id, i) => generated[i] !== id);
  const gap = differs < 0 ? null : (gaps?.[differs] ?? null);
  const text =
    differs < 0
      ? 'equal'
      : `differs at ${differs} (${generated[differs]}, not ${greedy[differs]}; gap ${gap ?? '?'})`;
  if (accepted === null) return { text };
  if (exact && differs >= 0) return { text, failure: `greedy ${text}` };
  for (const [i, id] of greedy.entries()) {
    const forced = argmax[ids.length - 1 + i];
    if (forced !== id && gaps && gaps[i] > sure)
      return { text, failure: `forced step ${i}: ${forced}, not ${id}` };
  }
  // A free run may leave the path only where the reference itself was undecided.
  if (differs >= 0 && gap !== null && gap > sure) return { text, failure: `greedy ${text}` };
  return { text };
}

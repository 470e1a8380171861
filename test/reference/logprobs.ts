/** CPU twin of shaders/logprobs.wgsl, in doubles. */

export interface LogprobTwin {
  readonly logprob: number;
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

/** The logprob of `id`, and the `numTop` most probable ids, the lowest first among equals. */
export function logprobsTwin(logits: ArrayLike<number>, id: number, numTop: number): LogprobTwin {
  const all = Array.from(logits);
  const most = all.reduce((a, b) => Math.max(a, b));
  const logMass = Math.log(all.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  const logprobOf = (other: number) => (all[other] ?? Number.NaN) - most - logMass;
  const order = [...all.keys()].sort((a, b) => (all[b] ?? 0) - (all[a] ?? 0) || a - b);
  const top = order.slice(0, numTop).map((other) => ({ id: other, logprob: logprobOf(other) }));
  return { logprob: logprobOf(id), top };
}

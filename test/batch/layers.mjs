// The part of the batch check about the dispatch that computes all layers of a lone decode row: with it a model must say what
// it says without.

/** As many workgroups as run at once anywhere. */
const TILE = { workgroups: 1, threads: 64, depth: 2 };
const OPTIONS = { math: 'f32', weightBits: 4, kvBits: 8, contextLength: 512, kvPoolMiB: 32 };
/** The same model, for a few tokens. */
const SMALL = { math: 'f32', contextLength: 64, kvPoolMiB: 2, maxSequences: 1 };
/** Embedding, layers, head and sampler. */
const MAX_DISPATCHES = 6;

/**
 * `model`: with a revision. From a few tokens over the end of a block of 32, and where attention is shared out. `text`: ids to make prompts of;
 * `tools`: `call` a function of the page by its name, `compare` ids with those expected, `report` a name, failures and a note.
 */
export async function checkLayers(name, model, text, { call, compare, report }) {
  const prompt = (start, length) => Array.from({ length }, (_, i) => text[(start + i) % text.length]);
  const requests = [
    { ids: prompt(0, 20), maxTokens: 20 },
    { ids: prompt(7, 400), maxTokens: 4 },
  ];
  const run = async (resident) => {
    await call('load', model, { ...OPTIONS, resident });
    return { ids: await call('stepwise', requests), dispatches: await call('dispatchesPerStep') };
  };
  const layers = await run(TILE);
  const apart = await run(null);
  const { failures, note } = await compare(requests, apart.ids, layers.ids);
  if (layers.dispatches > MAX_DISPATCHES || apart.dispatches <= MAX_DISPATCHES)
    failures.push(`${layers.dispatches} dispatches a step, and ${apart.dispatches} for each kernel`);
  report(`${name}: all layers in one dispatch`, failures, `${note}; ${layers.dispatches} dispatches a step`);
}

/** What an earlier load has found to be fastest is done at once. After `checkLayers`, which leaves the model in the cache. */
export async function checkKept(name, model, { call, report }) {
  const failures = [];
  const layers = await call('dispatchesOnceKept', model, SMALL, TILE);
  if (layers > MAX_DISPATCHES)
    failures.push(`${layers} dispatches a step where one for all layers is fastest`);
  const apart = await call('dispatchesOnceKept', model, SMALL, null);
  if (apart <= MAX_DISPATCHES)
    failures.push(`${apart} dispatches a step where one for each kernel is fastest`);
  report(`${name}: what was found at one load is done at the next`, failures);
}

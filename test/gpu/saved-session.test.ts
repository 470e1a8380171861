import { GREEDY } from '../../src/engine/sampling-params';
import { KvPool } from '../../src/kvcache/kv-pool';
import { LoadedModel } from '../../src/llm/loaded-model';
import { savedSessions } from '../../src/llm/saved-sessions';
import { LoadGate } from '../../src/weights/load-gate';
import { tinyFolder } from '../reference/tiny-folder';
import { assertEqual, gpuTest } from './harness';

gpuTest('a saved session comes back, and does not once its model is being closed', async ({ random }) => {
  const options = { cache: false, contextLength: 64, maxSequences: 1 };
  const { signal } = new AbortController();
  const model = await LoadedModel.load(tinyFolder(random), options, () => undefined, signal, new LoadGate());
  const session = `talk ${crypto.randomUUID()}`;
  const promptIds = Array.from({ length: 40 }, (_, i) => i + 1);
  const params = { ...GREEDY, maxTokens: 4, ignoreEos: true };
  await model.engine.add({ id: 'request', session, promptIds, params });
  assertEqual(await model.saveSession(session, 1), false, 'more than there is room for');
  assertEqual(await model.saveSession(session), true, 'saved');
  model.engine.sessions.drop(session);
  assertEqual((await model.restoreSession(session)) >= 40, true, 'tokens that came back');
  model.engine.sessions.drop(session);
  const restored = model.restoreSession(session);
  await model.close();
  assertEqual(await restored, 0, 'tokens that came back to a closed model');
  await (await savedSessions()).delete(session);
});

/** How many blocks are read back while `act` runs. */
async function numRead(act: () => Promise<unknown>): Promise<number> {
  const { readBlocks } = KvPool.prototype;
  let num = 0;
  KvPool.prototype.readBlocks = function (blockIds) {
    num += blockIds.length;
    return readBlocks.call(this, blockIds);
  };
  try {
    await act();
  } finally {
    KvPool.prototype.readBlocks = readBlocks;
  }
  return num;
}

gpuTest('of a saved session only the new blocks are read back, and all come back', async ({ random }) => {
  const options = { cache: false, contextLength: 256, maxSequences: 1 };
  const { signal } = new AbortController();
  const model = await LoadedModel.load(tinyFolder(random), options, () => undefined, signal, new LoadGate());
  const session = `talk ${crypto.randomUUID()}`;
  const turn = async (promptIds: readonly number[], maxTokens: number) => {
    const params = { ...GREEDY, maxTokens, ignoreEos: true };
    return (await model.engine.add({ id: 'request', session, promptIds, params })).ids;
  };
  const save = () => model.saveSession(session);
  const prompt = Array.from({ length: 70 }, (_, i) => i + 1);
  const first = [...prompt, ...(await turn(prompt, 10))];
  assertEqual(await numRead(save), 3, 'blocks of the first turn');
  // 80 tokens are held: the third block was not full
  const second = [...first, ...prompt.slice(0, 30)];
  const answer = await turn(second, 20);
  assertEqual(await numRead(save), 3, 'blocks from the one that was not full on');
  assertEqual(await numRead(save), 0, 'blocks when nothing is new');
  model.engine.sessions.drop(session);
  assertEqual(await model.restoreSession(session), second.length + answer.length, 'tokens that came back');
  const again = await turn([...second, ...answer], 8);
  model.engine.sessions.drop(session);
  const { ids } = await model.engine.add({
    ...{ id: 'alone', promptIds: [...second, ...answer], shares: false },
    params: { ...GREEDY, maxTokens: 8, ignoreEos: true },
  });
  assertEqual(again.join(), ids.join(), 'what follows');
  await model.close();
  await (await savedSessions()).delete(session);
});

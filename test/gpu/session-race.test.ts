import { GREEDY } from '../../src/engine/sampling-params';
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

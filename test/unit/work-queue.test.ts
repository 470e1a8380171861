import { expect, it } from 'vitest';
import { WorkQueue } from '../../web/state/work-queue';

it('begins each piece of work when the one before has ended, even badly', async () => {
  const queue = new WorkQueue();
  const seen: string[] = [];
  let finish = () => {};
  const first = queue.add(async () => {
    seen.push('first begins');
    await new Promise<void>((resolve) => (finish = resolve));
    seen.push('first fails');
    throw new Error('no room');
  });
  const second = queue.add(async () => {
    seen.push('second');
    return 7;
  });
  const settled = queue.settled().then(() => seen.push('settled'));
  await Promise.resolve();
  expect(seen).toEqual(['first begins']);
  finish();
  await expect(first).rejects.toThrow('no room');
  expect(await second).toBe(7);
  await settled;
  expect(seen).toEqual(['first begins', 'first fails', 'second', 'settled']);
});

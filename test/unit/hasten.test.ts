import { describe, expect, it, vi } from 'vitest';
import { hasten } from '../../src/gpu/hasten';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function queueOf() {
  const submit = vi.fn();
  return { queue: { submit } as unknown as GPUQueue, submit };
}

describe('hasten', () => {
  it('submits nothing at all, time and again, until the step is back', async () => {
    const { queue, submit } = queueOf();
    let back = () => {};
    hasten(queue, new Promise<void>((resolve) => (back = resolve)));
    await pause(15);
    expect(submit.mock.calls.length).toBeGreaterThan(5);
    for (const [commands] of submit.mock.calls) expect(commands).toEqual([]);
    back();
    await pause(5);
    const { length } = submit.mock.calls;
    await pause(10);
    expect(submit.mock.calls.length).toBe(length);
  });

  it('ends with a step that fails, and swallows nothing of it', async () => {
    const { queue, submit } = queueOf();
    const failed = Promise.reject(new Error('lost'));
    hasten(queue, failed);
    await expect(failed).rejects.toThrow('lost');
    await pause(10);
    expect(submit.mock.calls.length).toBeLessThan(3);
  });

  it('gives up on a long step', async () => {
    const { queue, submit } = queueOf();
    hasten(queue, new Promise(() => {}));
    await pause(80);
    const { length } = submit.mock.calls;
    await pause(20);
    expect(submit.mock.calls.length).toBe(length);
    // at most one each 0.3 ms
    expect(length).toBeLessThanOrEqual(170);
  });
});

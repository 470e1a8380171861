import { afterEach, describe, expect, it } from 'vitest';
import { Line } from '../../src/line';

/** Both ends, and what goes through in between. */
function lines() {
  const { port1, port2 } = new MessageChannel();
  const messages: unknown[] = [];
  port2.addEventListener('message', ({ data }) => messages.push(data));
  const [near, far] = [new Line(port1), new Line(port2)];
  const heard: unknown[] = [];
  const listener = (event: Event) => heard.push((event as MessageEvent).data);
  far.addEventListener('message', listener);
  open.push(port1);
  return { near, far, messages, heard, listener };
}

const open: MessagePort[] = [];
const arrived = () => new Promise((done) => setTimeout(done, 5));

afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

describe('a line', () => {
  it('sends what is posted in one task in one message, in order', async () => {
    const { near, messages, heard } = lines();
    near.postMessage('a');
    near.send('b');
    await Promise.resolve().then(() => near.postMessage('c'));
    await arrived();
    near.send('d');
    await arrived();
    expect(heard).toEqual(['a', 'b', 'c', 'd']);
    expect(messages.at(-1)).toEqual(['d']);
    expect(messages.length).toBeLessThan(4);
  });

  it('keeps the order of what is transferred', async () => {
    const { near, heard } = lines();
    const { buffer } = new Uint8Array([1, 2, 3]);
    near.send('before');
    near.postMessage(buffer, [buffer]);
    near.send('behind');
    await arrived();
    expect(buffer.byteLength).toBe(0);
    expect(heard).toEqual(['before', new Uint8Array([1, 2, 3]).buffer, 'behind']);
  });

  it('refuses at once what cannot be sent, and sends the rest', async () => {
    const { near, heard } = lines();
    near.send('a');
    expect(() => near.postMessage({ run: () => undefined })).toThrow(/could not be cloned/);
    near.send('b');
    await arrived();
    expect(heard).toEqual(['a', 'b']);
  });

  it('lets every listener hear all of a message although one throws, and makes that seen', async () => {
    const { near, far, heard } = lines();
    const seen = new Promise<unknown>((resolve) => {
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other);
        resolve(error);
      });
    });
    far.addEventListener('message', (event: Event) => {
      if ((event as MessageEvent).data === 'a') throw new Error('a listener failed');
    });
    near.send('a');
    near.send('b');
    expect(await seen).toMatchObject({ message: 'a listener failed' });
    expect(heard).toEqual(['a', 'b']);
  });

  it('no longer tells a listener that has left', async () => {
    const { near, far, heard, listener } = lines();
    far.removeEventListener('message', listener);
    near.send('a');
    await arrived();
    expect(heard).toEqual([]);
  });
});

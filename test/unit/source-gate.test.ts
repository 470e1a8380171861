import { describe, expect, it } from 'vitest';
import { gatedSource, LoadGate } from '../../src/weights/load-gate';
import { MemorySource } from '../reference/memory-source';

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

function open() {
  const inner = new MemorySource();
  inner.files.set('config.json', new TextEncoder().encode('{}'));
  const gate = new LoadGate();
  return { inner, gate, source: gatedSource(inner, gate) };
}

describe('a paused load', () => {
  it('begins no read until it goes on', async () => {
    const { inner, gate, source } = open();
    gate.pause();
    gate.pause();
    const done: string[] = [];
    const reads = [
      source.readRange('config.json', 0, 2).then(() => done.push('range')),
      source.readText('config.json').then(() => done.push('text')),
      source.tryReadText('nothing').then(() => done.push('try')),
      source.size('config.json').then(() => done.push('size')),
    ];
    await settle();
    expect([done, inner.numReads, gate.isClosed]).toEqual([[], 0, true]);
    gate.resume();
    await Promise.all(reads);
    expect(done.toSorted()).toEqual(['range', 'size', 'text', 'try']);
    expect([inner.numReads, gate.isClosed]).toEqual([1, false]);
  });

  it('can be paused again before the waiting reads have noticed', async () => {
    const { inner, gate, source } = open();
    gate.pause();
    const read = source.readRange('config.json', 0, 2);
    await settle();
    gate.resume();
    gate.pause();
    await settle();
    expect(inner.numReads).toBe(0);
    gate.resume();
    await read;
    expect(inner.numReads).toBe(1);
  });

  it('can be cancelled', async () => {
    const { inner, gate, source } = open();
    const stop = new AbortController();
    gate.pause();
    const read = source.readRange('config.json', 0, 2, stop.signal);
    stop.abort(new Error('enough'));
    await expect(read).rejects.toThrow('enough');
    await expect(source.size('config.json', stop.signal)).rejects.toThrow('enough');
    expect(inner.numReads).toBe(0);
  });

  it('keeps what the source can do', () => {
    const { inner, gate, source } = open();
    expect('list' in source).toBe(false);
    expect('list' in gatedSource(Object.assign(inner, { list: async () => [] }), gate)).toBe(true);
  });
});

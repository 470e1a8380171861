import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LoadStep, ProgressMeter } from '../../src/llm/progress-meter';
import type { LoadProgress } from '../../src/model-ref';

const MIB = 2 ** 20;
const step = (loadedBytes: number, phase: LoadStep['phase'] = 'download'): LoadStep => ({
  phase,
  loadedBytes,
  totalBytes: 1000 * MIB,
});

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function start() {
  const sent: LoadProgress[] = [];
  return { sent, meter: new ProgressMeter((progress) => sent.push(progress)) };
}

/** A step of `bytes` every `everyMs`, from `from` bytes on. */
function run(meter: ProgressMeter, numSteps: number, everyMs: number, bytes: number, from = 0): number {
  for (let i = 1; i <= numSteps; i++) {
    vi.advanceTimersByTime(everyMs);
    meter.report(step(from + i * bytes));
  }
  return from + numSteps * bytes;
}

/** A message may be one step late. */
function expectNear(actual: number | undefined, expected: number): void {
  expect(Math.abs((actual ?? Number.NaN) / expected - 1)).toBeLessThan(0.06);
}

describe('ProgressMeter', () => {
  it('lets through about ten messages a second, in order', () => {
    const { sent, meter } = start();
    run(meter, 2000, 1, 1000);
    expect(sent.length).toBeGreaterThanOrEqual(19);
    expect(sent.length).toBeLessThanOrEqual(22);
    const loaded = sent.map(({ loadedBytes }) => loadedBytes);
    expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
  });

  it('delivers the last one, sooner or later', () => {
    const { sent, meter } = start();
    meter.report(step(1));
    meter.report(step(2));
    expect(sent.map((one) => one.loadedBytes)).toEqual([1]);
    vi.advanceTimersByTime(100);
    expect(sent.map((one) => one.loadedBytes)).toEqual([1, 2]);
    meter.report(step(3));
    meter.flush();
    meter.flush();
    expect(sent.map((one) => one.loadedBytes)).toEqual([1, 2, 3]);
    vi.advanceTimersByTime(1000);
    expect(sent.length).toBe(3);
  });

  it('delivers the end of a phase and the start of the next at once', () => {
    const { sent, meter } = start();
    meter.report(step(1));
    meter.report(step(5));
    meter.report({ phase: 'compile', loadedBytes: 0, totalBytes: 0 });
    meter.report(step(1, 'read-cache'));
    meter.report(step(1000 * MIB, 'read-cache'));
    expect(sent.map((one) => [one.phase, one.loadedBytes])).toEqual([
      ['download', 1],
      ['download', 5],
      ['compile', 0],
      ['read-cache', 1],
      ['read-cache', 1000 * MIB],
    ]);
  });

  it('knows speed and time left, and follows a change within seconds', () => {
    const { sent, meter } = start();
    meter.report(step(0));
    expect(sent[0]).toEqual(step(0));
    let loaded = run(meter, 100, 50, MIB);
    // 100 MiB in 5 s
    expectNear(sent.at(-1)?.bytesPerSecond, 20 * MIB);
    expectNear(sent.at(-1)?.secondsLeft, 900 / 20);
    loaded = run(meter, 60, 100, MIB / 2, loaded);
    expectNear(sent.at(-1)?.bytesPerSecond, 5 * MIB);
    expectNear(sent.at(-1)?.secondsLeft, (1000 - loaded / MIB) / 5);
  });

  it('says nothing of speed before there is enough to tell', () => {
    const { sent, meter } = start();
    meter.report(step(0));
    run(meter, 4, 100, MIB);
    expect(sent.every((one) => one.bytesPerSecond === undefined && one.secondsLeft === undefined)).toBe(true);
  });

  it('does not count the time of a pause', () => {
    const { sent, meter } = start();
    meter.report(step(0));
    const loaded = run(meter, 20, 100, MIB);
    meter.pause(true);
    expect(sent.at(-1)).toEqual({ ...step(loaded), paused: true });
    vi.advanceTimersByTime(60_000);
    meter.pause(false);
    expect(sent.at(-1)?.paused).toBeUndefined();
    meter.report(step(loaded));
    run(meter, 20, 100, MIB, loaded);
    expectNear(sent.at(-1)?.bytesPerSecond, 10 * MIB);
  });

  it('has no time left to tell when nothing comes', () => {
    const { sent, meter } = start();
    meter.report(step(7));
    run(meter, 10, 100, 0, 7);
    expect(sent.at(-1)).toEqual({ ...step(7), bytesPerSecond: 0 });
  });
});

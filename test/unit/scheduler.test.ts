import { describe, expect, it } from 'vitest';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import { type ScheduledStep, Scheduler } from '../../src/engine/scheduler';
import { Sequence } from '../../src/engine/sequence';
import { BlockAllocator } from '../../src/kvcache/block-allocator';

interface Sizes {
  readonly numBlocks?: number;
  readonly blockTokens?: number;
  readonly maxSlots?: number;
  readonly maxChunkTokens?: number;
  readonly contextLength?: number;
}

function setUp(sizes: Sizes = {}) {
  const allocator = new BlockAllocator(sizes.numBlocks ?? 64, sizes.blockTokens ?? 4);
  const scheduler = new Scheduler(allocator, {
    maxSlots: sizes.maxSlots ?? 4,
    maxChunkTokens: sizes.maxChunkTokens ?? 8,
    contextLength: sizes.contextLength ?? 256,
  });
  const add = (id: string, numPromptTokens: number, params: Partial<SamplingParams> = {}): Sequence => {
    const promptIds = Array.from({ length: numPromptTokens }, (_, i) => 100 + i);
    const sequence = new Sequence(id, promptIds, { ...GREEDY, ...params }, 0);
    scheduler.add(sequence);
    return sequence;
  };
  /** Reads a step back: every sampled id is 7. */
  const readBack = (step: ScheduledStep): void => {
    scheduler.retire(step);
    if (step.numSampled === 0) return;
    for (const sequence of step.sequences) {
      if (sequence.status === 'finished') continue;
      sequence.append(7, 0);
      if (scheduler.isFull(sequence)) scheduler.finish(sequence, 'length', 0);
    }
  };
  const schedule = (): ScheduledStep => {
    const step = scheduler.schedule(0);
    if (step === null) throw new Error('nothing to schedule');
    scheduler.checkIntegrity();
    return step;
  };
  return { allocator, scheduler, add, readBack, schedule };
}

/** 'p a 0+8' or 'd a b': what a step does, in one word each. */
function describeStep({ batch, sequences }: ScheduledStep): string {
  const ids = sequences.map(({ id }) => id).join(' ');
  return batch.phase === 'decode' ? `d ${ids}` : `p ${ids} ${batch.startPosition}+${batch.tokenIds.length}`;
}

describe('Scheduler', () => {
  it('cuts a prompt into chunks and samples only after the last', () => {
    const { add, schedule } = setUp();
    add('a', 19);
    const steps = [schedule(), schedule(), schedule(), schedule()];
    expect(steps.map(describeStep)).toEqual(['p a 0+8', 'p a 8+8', 'p a 16+3', 'd a']);
    expect(steps.map(({ batch }) => batch.phase === 'prefill' && batch.sample)).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(steps.map(({ numSampled }) => numSampled)).toEqual([0, 0, 1, 1]);
    expect(steps.map(({ admitted }) => admitted?.id ?? null)).toEqual(['a', null, null, null]);
    const tokens = steps.flatMap(({ batch }) => (batch.phase === 'prefill' ? [...batch.tokenIds] : []));
    expect(tokens).toEqual(Array.from({ length: 19 }, (_, i) => 100 + i));
  });

  it('submits decode steps ahead of the ids, each one position further, blocks covered', () => {
    const { add, schedule } = setUp();
    add('a', 7);
    schedule();
    for (const position of [7, 8, 9]) {
      const { batch } = schedule();
      if (batch.phase !== 'decode') throw new Error('a decode step was due');
      expect(batch.rows.map((row) => row.position)).toEqual([position]);
      expect(batch.rows[0]?.blockTable.length).toBe(Math.ceil((position + 1) / 4));
    }
  });

  it('alternates the chunks of a long prompt with decode steps', () => {
    const { add, schedule, readBack } = setUp();
    add('a', 3);
    readBack(schedule());
    readBack(schedule());
    add('b', 30);
    const words = Array.from({ length: 9 }, () => {
      const step = schedule();
      readBack(step);
      return describeStep(step);
    });
    expect(words).toEqual([
      'p b 0+8',
      'd a',
      'p b 8+8',
      'd a',
      'p b 16+8',
      'd a',
      'p b 24+6',
      'd a b',
      'd a b',
    ]);
  });

  it('schedules no step past the token limit', () => {
    const { add, schedule, scheduler, readBack } = setUp();
    const sequence = add('a', 4, { maxTokens: 3 });
    const steps = [schedule(), schedule(), schedule()];
    expect(scheduler.schedule(0)).toBeNull();
    for (const step of steps) readBack(step);
    expect(sequence.finishReason).toBe('length');
    expect(sequence.completionIds).toEqual([7, 7, 7]);
  });

  it.each([
    ['the context', { contextLength: 10 }, 10],
    ['the pool', { numBlocks: 3 }, 12],
  ])('ends a sequence at the end of %s', (_, sizes, numTokens) => {
    const { add, scheduler, readBack, allocator } = setUp(sizes);
    const sequence = add('a', 4, { maxTokens: 1000 });
    for (let step = scheduler.schedule(0); step !== null; step = scheduler.schedule(0)) readBack(step);
    expect(sequence.finishReason).toBe('length');
    expect(sequence.tokenIds).toHaveLength(numTokens);
    expect(allocator.numUsed).toBe(0);
  });

  it.each([
    ['the context', { contextLength: 10 }, 10],
    ['the pool', { numBlocks: 3 }, 12],
  ])('refuses a prompt that leaves no room in %s', (_, sizes, numPromptTokens) => {
    const { add, scheduler } = setUp(sizes);
    expect(() => add('long', numPromptTokens)).toThrow(expect.objectContaining({ code: 'context-full' }));
    expect(scheduler.numWaiting).toBe(0);
    add('fits', numPromptTokens - 1);
    expect(scheduler.numWaiting).toBe(1);
  });

  it('admits by free slots, first come first served', () => {
    const { add, scheduler, schedule, readBack } = setUp({ maxSlots: 2 });
    const first = add('a', 2);
    add('b', 2);
    add('c', 2);
    for (let i = 0; i < 6; i++) readBack(schedule());
    expect(scheduler.live.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'a running',
      'b running',
      'c waiting',
    ]);
    scheduler.finish(first, 'stop', 0);
    expect(describeStep(schedule())).toBe('p c 0+2');
  });

  it('does not let a small newcomer overtake one that waits for blocks', () => {
    const { add, scheduler, schedule, readBack } = setUp({ numBlocks: 8 });
    add('a', 16);
    for (let i = 0; i < 3; i++) readBack(schedule());
    add('b', 20);
    add('c', 1);
    readBack(schedule());
    expect(scheduler.live.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'a running',
      'b waiting',
      'c waiting',
    ]);
  });

  it('keeps slot and blocks of a finished sequence until its last step has retired', () => {
    const { add, allocator, scheduler, schedule } = setUp({ maxSlots: 1 });
    const sequence = add('a', 5);
    add('b', 5);
    const steps = [schedule(), schedule(), schedule()];
    scheduler.finish(sequence, 'abort', 0);
    for (const step of steps) {
      expect(allocator.numUsed).toBe(2);
      expect(scheduler.schedule(0)).toBeNull();
      scheduler.retire(step);
    }
    expect(allocator.numUsed).toBe(0);
    expect(describeStep(schedule())).toBe('p b 0+5');
  });

  it('preempts the newest after draining, to the front of the queue, and recomputes prompt and completion', () => {
    const { add, scheduler, schedule, readBack } = setUp({ numBlocks: 5 });
    add('a', 4, { maxTokens: 12 });
    const newer = add('b', 4, { maxTokens: 12 });
    for (let i = 0; i < 5; i++) readBack(schedule());
    const last = add('c', 4, { maxTokens: 2 });
    const inFlight: ScheduledStep[] = [];
    while (newer.status === 'running') {
      const step = scheduler.schedule(0);
      if (step !== null) inFlight.push(step);
      if (step !== null && newer.status === 'running') continue;
      const oldest = inFlight.shift();
      if (oldest !== undefined) readBack(oldest);
    }
    expect(scheduler.numPreemptions).toBe(1);
    expect(newer.status).toBe('waiting');
    expect(newer.numStepsInFlight).toBe(0);
    expect(scheduler.live.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    const kept = [...newer.tokenIds];
    expect(kept.length).toBeGreaterThan(4);
    let words = '';
    const prefilled: number[] = [];
    for (;;) {
      const step = inFlight.shift() ?? scheduler.schedule(0);
      if (step === null) break;
      words += `${describeStep(step)}; `;
      if (step.batch.phase === 'prefill' && step.sequences[0] === newer)
        prefilled.push(...step.batch.tokenIds);
      readBack(step);
      scheduler.checkIntegrity();
    }
    expect(prefilled).toEqual(kept);
    expect(newer.completionIds).toHaveLength(12);
    expect(last.completionIds).toHaveLength(2);
    expect(words.indexOf('p b')).toBeLessThan(words.indexOf('p c'));
  });

  it('ends a sequence only once, in any state', () => {
    const { add, scheduler, schedule, allocator } = setUp();
    const [waiting, prefilling] = [add('a', 20), add('b', 20)].toReversed();
    if (waiting === undefined || prefilling === undefined) throw new Error('two sequences were added');
    const step = schedule();
    expect(prefilling.status).toBe('prefilling');
    expect(scheduler.finish(waiting, 'abort', 5)).toBe(true);
    expect(scheduler.finish(prefilling, 'abort', 5)).toBe(true);
    expect(scheduler.finish(prefilling, 'stop', 6)).toBe(false);
    expect(prefilling.finishReason).toBe('abort');
    scheduler.checkIntegrity();
    scheduler.retire(step);
    scheduler.checkIntegrity();
    expect(allocator.numUsed).toBe(0);
    expect(scheduler.schedule(0)).toBeNull();
  });
});

describe('Sequence', () => {
  it('measures from arrival, first token and last token', () => {
    const sequence = new Sequence('a', [1, 2, 3, 4], GREEDY, 1000);
    const blockTable = { blockIds: [0] };
    sequence.admit({ slot: 0, blockTable }, 1100);
    sequence.schedulePrefill(4);
    sequence.retireStep(1);
    sequence.append(9, 1300);
    for (const nowMs of [1350, 1400]) {
      sequence.scheduleDecode();
      sequence.retireStep(1);
      sequence.append(9, nowMs);
    }
    sequence.finish('abort', 2000);
    expect(sequence.timings(5000)).toEqual({
      ttftMs: 300,
      totalMs: 1000,
      prefillTokensPerSecond: 20,
      decodeTokensPerSecond: 20,
    });
  });

  it('refuses to give up its place while a step is in flight', () => {
    const sequence = new Sequence('a', [1], GREEDY, 0);
    sequence.admit({ slot: 0, blockTable: { blockIds: [0] } }, 0);
    sequence.schedulePrefill(1);
    expect(() => sequence.preempt()).toThrow(/1 steps in flight/);
    expect(() => sequence.admit({ slot: 1, blockTable: { blockIds: [1] } }, 0)).toThrow(
      /is running where waiting was due/,
    );
  });
});

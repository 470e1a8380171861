import { describe, expect, it } from 'vitest';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import type { ScheduledStep } from '../../src/engine/scheduled-step';
import { Scheduler } from '../../src/engine/scheduler';
import { Sequence } from '../../src/engine/sequence';
import { BlockAllocator } from '../../src/kvcache/block-allocator';

interface Sizes {
  readonly numBlocks?: number;
  readonly blockTokens?: number;
  readonly maxSlots?: number;
  readonly maxChunkTokens?: number;
  readonly contextLength?: number;
  readonly maxSharedTokens?: number;
}

function setUp(sizes: Sizes = {}) {
  const allocator = new BlockAllocator(sizes.numBlocks ?? 64, sizes.blockTokens ?? 4);
  const scheduler = new Scheduler(allocator, {
    maxSlots: sizes.maxSlots ?? 4,
    maxChunkFor: () => sizes.maxChunkTokens ?? 8,
    contextLength: sizes.contextLength ?? 256,
    ...(sizes.maxSharedTokens === undefined ? {} : { maxSharedTokens: sizes.maxSharedTokens }),
  });
  let numAdded = 0;
  /** Every prompt has tokens of its own. */
  const add = (
    id: string,
    numPromptTokens: number,
    params: Partial<SamplingParams> = {},
    priority = 0,
  ): Sequence => {
    numAdded++;
    const promptIds = Array.from({ length: numPromptTokens }, (_, i) => 100 * numAdded + i);
    const sequence = new Sequence(id, promptIds, { ...GREEDY, ...params }, 0, { priority });
    scheduler.add(sequence);
    return sequence;
  };
  /** Reads a step back: every sampled id is 7. */
  const readBack = (step: ScheduledStep): void => {
    scheduler.retire(step);
    for (const sequence of step.sampled) {
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

/** 'd a b p c 0+8': decode rows of a and b, then eight tokens of c. */
function describeStep({ batch, decoding, prefilling }: ScheduledStep): string {
  const words = decoding.length > 0 ? [`d ${decoding.map(({ id }) => id).join(' ')}`] : [];
  for (const [i, { startPosition, tokenIds }] of batch.prefills.entries())
    words.push(`p ${prefilling[i]?.id} ${startPosition}+${tokenIds.length}`);
  return words.join(' ');
}

describe('Scheduler', () => {
  it('cuts a prompt into chunks and samples only after the last', () => {
    const { add, schedule } = setUp();
    add('a', 19);
    const steps = [schedule(), schedule(), schedule(), schedule()];
    expect(steps.map(describeStep)).toEqual(['p a 0+8', 'p a 8+8', 'p a 16+3', 'd a']);
    expect(steps.map(({ batch }) => batch.prefills[0]?.sample ?? false)).toEqual([false, false, true, false]);
    expect(steps.map(({ sampled }) => sampled.length)).toEqual([0, 0, 1, 1]);
    expect(steps.map(({ admitted }) => admitted.map(({ id }) => id))).toEqual([['a'], [], [], []]);
    const tokens = steps.flatMap(({ batch }) => batch.prefills.flatMap(({ tokenIds }) => [...tokenIds]));
    expect(tokens).toEqual(Array.from({ length: 19 }, (_, i) => 100 + i));
  });

  it('submits decode steps ahead of the ids, each one position further, blocks covered', () => {
    const { add, schedule } = setUp();
    add('a', 7);
    schedule();
    for (const position of [7, 8, 9]) {
      const { batch } = schedule();
      expect(batch.rows.map((row) => row.position)).toEqual([position]);
      expect(batch.rows[0]?.blockTable.length).toBe(Math.ceil((position + 1) / 4));
    }
  });

  it('lets the chunks of a long prompt join the decode steps', () => {
    const { add, schedule, readBack } = setUp();
    add('a', 3);
    readBack(schedule());
    readBack(schedule());
    add('b', 30);
    const words = Array.from({ length: 6 }, () => {
      const step = schedule();
      readBack(step);
      return describeStep(step);
    });
    expect(words).toEqual(['d a p b 0+8', 'd a p b 8+8', 'd a p b 16+8', 'd a p b 24+6', 'd a b', 'd a b']);
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
    expect(describeStep(schedule())).toBe('d b p c 0+2');
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
    const starts: number[] = [];
    for (;;) {
      const step = inFlight.shift() ?? scheduler.schedule(0);
      if (step === null) break;
      words += `${describeStep(step)}; `;
      for (const [i, { startPosition, tokenIds }] of step.batch.prefills.entries()) {
        if (step.prefilling[i] !== newer) continue;
        starts.push(startPosition);
        prefilled.push(...tokenIds);
      }
      readBack(step);
      scheduler.checkIntegrity();
    }
    // Its first block was reused last, so it is found again; the rest is computed again.
    expect(prefilled).toEqual(kept.slice(starts[0]));
    expect(starts[0]).toBe(4);
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

describe('Scheduler, with shared blocks', () => {
  const prompt = Array.from({ length: 10 }, (_, i) => 1 + i);
  const twins = (setup: ReturnType<typeof setUp>, more: readonly number[] = []) =>
    ['a', 'b'].map((id) => {
      const sequence = new Sequence(id, [...prompt, ...more], { ...GREEDY, maxTokens: 3 }, 0);
      setup.scheduler.add(sequence);
      return sequence;
    });

  it('computes a prompt once: the second copies the last block and computes one token', () => {
    const setup = setUp({ maxChunkTokens: 16 });
    const [, second] = twins(setup);
    setup.schedule();
    const step = setup.schedule();
    expect(describeStep(step)).toBe('d a p b 9+1');
    const [a, b] = [...step.decoding, ...step.prefilling].map(({ seat }) => seat?.blockTable.blockIds ?? []);
    expect(b?.slice(0, 2)).toEqual(a?.slice(0, 2));
    expect(step.batch.copies).toEqual([{ from: a?.[2], to: b?.[2] }]);
    expect(second?.numHitTokens).toBe(9);
    expect(setup.scheduler.seating.promptTokens).toEqual({ numTokens: 20, numHit: 9 });
  });

  it('shares nothing of sequences whose keys depend on the length', () => {
    const setup = setUp({ maxChunkTokens: 16, maxSharedTokens: 9 });
    twins(setup);
    setup.schedule();
    expect(describeStep(setup.schedule())).toBe('d a p b 0+10');
  });

  it('leaves a block for each running sequence when it admits', () => {
    const { add, schedule, readBack, scheduler } = setUp({ numBlocks: 6 });
    add('a', 8);
    add('b', 4);
    for (let i = 0; i < 3; i++) readBack(schedule());
    // One of six blocks is free, and both will need one soon.
    add('c', 4);
    expect(describeStep(schedule())).toBe('d a b');
    expect(scheduler.numWaiting).toBe(1);
  });
});

describe('Scheduler, with several prompts in a chunk', () => {
  it('fills a chunk with the prompts that have begun and those that wait, in their order', () => {
    const { add, schedule } = setUp({ maxChunkTokens: 64, maxSlots: 8 });
    add('a', 50);
    add('b', 30);
    add('c', 40);
    const steps = [schedule(), schedule(), schedule()];
    // Of b less would be left than is worth a place; then it has begun.
    expect(steps.map(describeStep)).toEqual(['p a 0+50', 'd a p b 0+30 p c 0+34', 'd a b p c 34+6']);
    expect(steps.map(({ sampled }) => sampled.map(({ id }) => id))).toEqual([
      ['a'],
      ['a', 'b'],
      ['a', 'b', 'c'],
    ]);
    expect(steps.map(({ admitted }) => admitted.map(({ id }) => id))).toEqual([['a'], ['b', 'c'], []]);
  });

  it('lets a prompt wait for what another that begins alike computes in this step', () => {
    const { scheduler, schedule } = setUp({ maxChunkTokens: 64, maxSlots: 8 });
    const system = Array.from({ length: 9 }, (_, i) => 900 + i);
    for (const [i, id] of ['a', 'b', 'c'].entries())
      scheduler.add(new Sequence(id, [...system, i, i, i, i, i], { ...GREEDY }, 0));
    expect([schedule(), schedule()].map(describeStep)).toEqual(['p a 0+14', 'd a p b 9+5 p c 9+5']);
  });

  it('leaves prompts whose keys depend on their length alone', () => {
    const { add, schedule } = setUp({ maxChunkTokens: 64, maxSlots: 8, maxSharedTokens: 20 });
    add('short', 20);
    add('long', 21);
    add('next', 18);
    add('last', 4);
    const steps = [schedule(), schedule(), schedule()].map(describeStep);
    expect(steps).toEqual(['p short 0+20', 'd short p long 0+21', 'd short long p next 0+18 p last 0+4']);
  });

  it('lets none overtake a prompt for which there is no place', () => {
    const { add, schedule } = setUp({ maxChunkTokens: 64, maxSlots: 8, numBlocks: 8 });
    add('a', 20);
    add('large', 16);
    add('small', 2);
    expect(describeStep(schedule())).toBe('p a 0+20');
  });
});

describe('Scheduler, with priorities', () => {
  it('admits the more urgent first, then the earlier', () => {
    const { add, schedule, readBack } = setUp();
    add('a', 2, { maxTokens: 1 });
    add('b', 2, { maxTokens: 1 }, 1);
    add('c', 2, { maxTokens: 1 }, 1);
    const words = Array.from({ length: 2 }, () => {
      const step = schedule();
      readBack(step);
      return describeStep(step);
    });
    // What is less urgent does not make the others wait for it.
    expect(words).toEqual(['p b 0+2 p c 0+2', 'p a 0+2']);
  });

  it('lets an urgent prompt go before one that has begun', () => {
    const { add, schedule, readBack } = setUp();
    add('a', 20, { maxTokens: 1 });
    readBack(schedule());
    add('b', 4, { maxTokens: 1 }, 1);
    expect(describeStep(schedule())).toBe('p b 0+4');
    expect(describeStep(schedule())).toBe('p a 8+8');
  });

  it.each([
    ['slots', { maxSlots: 2 }],
    ['blocks', { numBlocks: 6 }],
  ])(
    'takes the place of the newest less urgent one where %s are short, once its steps have retired',
    (_, sizes) => {
      const { add, scheduler, schedule, readBack } = setUp(sizes);
      add('a', 7, { maxTokens: 6 });
      const victim = add('b', 7, { maxTokens: 6 });
      readBack(schedule());
      readBack(schedule());
      const inFlight = [schedule()];
      add('urgent', 7, { maxTokens: 1 }, 1);
      inFlight.push(schedule());
      expect(describeStep(inFlight[1] ?? schedule())).toBe('d a');
      expect(victim.status).toBe('running');
      for (const step of inFlight) readBack(step);
      expect(describeStep(schedule())).toBe('d a p urgent 0+7');
      expect(victim.status).toBe('waiting');
      expect(scheduler.numPreemptions).toBe(1);
    },
  );

  it('goes by a priority that changes, in the queue and where a place is short', () => {
    const { add, scheduler, schedule, readBack } = setUp({ maxSlots: 1 });
    const [a, b, c] = ['a', 'b', 'c'].map((id) => add(id, 2, { maxTokens: 9 }, id === 'a' ? 1 : 0));
    if (!a || !b || !c) throw new Error('three were added');
    readBack(schedule());
    // the one on screen is now another
    scheduler.setPriority(c, 1);
    expect(scheduler.live.map(({ id }) => id)).toEqual(['a', 'c', 'b']);
    scheduler.setPriority(a, 0);
    scheduler.checkIntegrity();
    readBack(schedule());
    expect(scheduler.numPreemptions).toBe(1);
    expect([a, b, c].map(({ status }) => status)).toEqual(['waiting', 'waiting', 'running']);
  });

  it('serves one that was overtaken often enough before all others', () => {
    const { add, schedule, readBack, scheduler } = setUp({ maxSlots: 1 });
    const patient = add('patient', 2, { maxTokens: 2 });
    let numServed = 0;
    while (patient.finishReason === null) {
      if (scheduler.numWaiting < 2) add(`urgent ${numServed++}`, 2, { maxTokens: 2 }, 5);
      readBack(schedule());
      expect(numServed).toBeLessThan(30);
    }
    expect(numServed).toBeGreaterThan(10);
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
      draftTokens: 0,
      acceptedDraftTokens: 0,
      totalMs: 1000,
      tpotMs: 50,
      itlP95Ms: 50,
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

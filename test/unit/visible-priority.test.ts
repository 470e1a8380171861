import { beforeAll, describe, expect, it } from 'vitest';
import { stubPage } from './stub-page';

async function load() {
  stubPage();
  return {
    ...(await import('../../web/state/conversation')),
    ...(await import('../../web/state/visible-priority')),
  };
}

let page: Awaited<ReturnType<typeof load>>;

beforeAll(async () => {
  page = await load();
});

describe('the priority of an answer', () => {
  it('follows the chat on screen until it is let go', () => {
    const { openId, followPriority, priorityOf } = page;
    openId.value = 'mine';
    expect([priorityOf('mine'), priorityOf('other')]).toEqual([1, 0]);
    const said: number[] = [];
    const unfollow = followPriority('mine', (priority) => said.push(priority));
    expect(said).toEqual([]);
    openId.value = 'other';
    openId.value = 'third';
    expect(said).toEqual([0]);
    openId.value = 'mine';
    expect(said).toEqual([0, 1]);
    unfollow();
    openId.value = 'other';
    expect(said).toEqual([0, 1]);
  });
});

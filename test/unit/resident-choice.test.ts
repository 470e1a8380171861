import { describe, expect, it } from 'vitest';
import { chooseResident, type ResidentTrial } from '../../src/runner/resident-choice';

/** A card that runs `atOnce` workgroups, and what steps take on it, null: each kernel on its own. */
function card(atOnce: number, msOf: (workgroups: number | null) => number) {
  const tried: number[] = [];
  const trial: ResidentTrial = {
    fits: async (workgroups) => {
      tried.push(workgroups);
      return workgroups <= atOnce;
    },
    time: async (workgroups) => msOf(workgroups),
  };
  return { trial, tried };
}

describe('chooseResident', () => {
  it.each([8, 9, 82, 132, 188, 264, 1000])('finds that %i workgroups run at once', async (atOnce) => {
    const { trial, tried } = card(atOnce, (workgroups) => (workgroups === atOnce ? 1 : 2));
    expect(await chooseResident(trial)).toMatchObject({ workgroups: atOnce });
    expect(tried.length).toBeLessThan(20);
  });

  it('takes half as many where that is faster', async () => {
    const { trial } = card(264, (workgroups) => (workgroups === 132 ? 1 : 2));
    expect(await chooseResident(trial)).toMatchObject({ workgroups: 132 });
  });

  it('leaves each kernel on its own where that is faster, or nearly as fast', async () => {
    expect(await chooseResident(card(132, (workgroups) => (workgroups === null ? 1 : 2)).trial)).toBeNull();
    expect(
      await chooseResident(card(132, (workgroups) => (workgroups === null ? 1 : 0.99)).trial),
    ).toBeNull();
  });

  it('does not use what no workgroups run together for', async () => {
    expect(await chooseResident(card(0, () => 1).trial)).toBeNull();
  });
});

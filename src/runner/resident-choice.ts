import type { ResidentTile } from '../kernels/decode-layers';

/** Runs the layers of a decode step, each kernel on its own (null) or cut like that. */
export interface ResidentTrial {
  /** Whether so many workgroups run at once; nothing but the layers' scratch is touched. */
  fits(workgroups: number): Promise<boolean>;
  /** Milliseconds of a few steps. */
  time(workgroups: number | null): Promise<number>;
}

/** Threads of a workgroup: as many as registers allow on the cards measured. */
export const RESIDENT_THREADS = 512;
export const RESIDENT_DEPTH = 2;
const FEWEST = 8;
const MOST = 1024;
const ROUNDS = 3;
/** It has to be faster by so much: it also takes for granted that workgroups go on running at once. */
const WORTH = 0.97;

/**
 * The cut that is fastest on this card; null where each kernel is better off with a dispatch of its own. How many processors
 * a card has, WebGPU does not say; how many workgroups run at once, it shows.
 */
export async function chooseResident(trial: ResidentTrial): Promise<ResidentTile | null> {
  const most = await mostAtOnce(trial);
  if (most === 0) return null;
  const candidates = [null, most, ...(most >= 2 * FEWEST ? [Math.floor(most / 2)] : [])];
  const times = candidates.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, workgroups] of candidates.entries())
      times[i] = Math.min(times[i] ?? 0, await trial.time(workgroups));
  const [apart = 0, ...together] = times;
  const fastest = Math.min(...together);
  const workgroups = candidates[1 + together.indexOf(fastest)] ?? null;
  if (workgroups === null || fastest > WORTH * apart) return null;
  return { workgroups, threads: RESIDENT_THREADS, depth: RESIDENT_DEPTH };
}

/** The largest number that fits, below twice which none was tried that does; 0: not even the fewest. */
async function mostAtOnce({ fits }: ResidentTrial): Promise<number> {
  let [low, high] = [0, FEWEST];
  while (high <= MOST && (await fits(high))) [low, high] = [high, 2 * high];
  if (low === 0) return 0;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

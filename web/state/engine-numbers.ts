import { refreshStats, stats } from './engine';

const INTERVAL_MS = 400;

/** Steps still in flight hold their KV blocks for a while after an answer ends; this is how long we look for it. */
const SETTLE_MS = 10_000;

let watchers = 0;
let settleUntilMs = 0;
let timer: ReturnType<typeof setInterval> | null = null;

/** Keeps `stats` fresh until the returned function is called and the blocks in use have settled. */
export function watchStats(): () => void {
  watchers++;
  timer ??= setInterval(() => void look(), INTERVAL_MS);
  return () => {
    watchers--;
    settleUntilMs = performance.now() + SETTLE_MS;
    void look();
  };
}

async function look(): Promise<void> {
  await read();
  const isSettled =
    stats.value === null || stats.value.kvBlocksUsed === 0 || performance.now() > settleUntilMs;
  if (watchers > 0 || !isSettled || timer === null) return;
  clearInterval(timer);
  timer = null;
}

/** The numbers are an extra: when they fail, the answer's own error already says why. */
async function read(): Promise<void> {
  try {
    await refreshStats();
  } catch (thrown) {
    console.warn('tabmind could not read the engine numbers.', thrown);
  }
}

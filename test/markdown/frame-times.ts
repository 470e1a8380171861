/** Milliseconds between the frames that the browser draws while `work` runs. */
export async function frameTimes(work: () => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = [];
  let isRunning = true;
  let before = performance.now();
  const step = (nowMs: number): void => {
    times.push(nowMs - before);
    before = nowMs;
    if (isRunning) requestAnimationFrame(step);
  };
  requestAnimationFrame((nowMs) => {
    before = nowMs;
    requestAnimationFrame(step);
  });
  await work();
  isRunning = false;
  return times;
}

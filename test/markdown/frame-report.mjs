const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** One line on frames: their times, and how many took too long. */
export function frameReport(name, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => percentile(sorted, share).toFixed(1);
  const numLate = sorted.filter((ms) => ms > 50).length;
  return `${name}: ${times.length} frames, median ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms, over 50 ms: ${numLate}`;
}

export const TRACE_CATEGORIES = ['toplevel', 'blink.user_timing', 'devtools.timeline', 'v8'];

/** Tasks of the page's main thread behind the mark `name`, longest processor time first. */
function tasksAfter(events, name) {
  const mark = events.find((event) => event.name === name);
  if (mark === undefined) throw new Error(`The trace has no mark "${name}".`);
  const isTask = (event) =>
    event.name === 'ThreadControllerImpl::RunTask' &&
    event.pid === mark.pid &&
    event.tid === mark.tid &&
    event.ts > mark.ts &&
    event.tdur !== undefined;
  return events.filter(isTask).sort((a, b) => b.tdur - a.tdur);
}

/** The largest parts of a task, by name. */
function partsOf(task, events) {
  const isPart = ({ name, pid, tid, ts, dur }) =>
    name !== task.name &&
    pid === task.pid &&
    tid === task.tid &&
    ts >= task.ts &&
    ts + (dur ?? 0) <= task.ts + task.dur;
  const parts = events.filter((event) => isPart(event) && event.tdur > 1000);
  return parts
    .sort((a, b) => b.tdur - a.tdur)
    .slice(0, 4)
    .map(({ name, tdur }) => `${name} ${(tdur / 1000).toFixed(1)}`)
    .join(', ');
}

/**
 * Processor time of the page's tasks behind the mark `name`: unlike their duration, the same on a busy computer.
 *
 * @param {string} trace JSON of Chromium
 */
export function taskReport(trace, name) {
  const events = JSON.parse(trace).traceEvents;
  const tasks = tasksAfter(events, name);
  const ms = ({ tdur }) => tdur / 1000;
  const [longest] = tasks;
  const numLong = tasks.filter((task) => ms(task) > 50).length;
  const first = tasks.slice(0, 5).map((task) => ms(task).toFixed(1));
  const p99 = percentile(tasks.map(ms).reverse(), 0.99).toFixed(1);
  const line = `tasks of the main thread: ${tasks.length}, longest ${first.join(', ')} ms of processor time, p99 ${p99} ms, over 50 ms: ${numLong}`;
  return `${line}\n  the longest: ${partsOf(longest, events)}`;
}

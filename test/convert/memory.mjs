import { existsSync, readdirSync, readFileSync } from 'node:fs';

const INTERVAL_MS = 50;
/** Pages of memory that a process has for itself, and not the files that it has open. */
const FIELD = /^RssAnon:\s+(\d+) kB$/m;
const SHARED = /^RssShmem:\s+(\d+) kB$/m;

/**
 * Watches the memory of a browser's processes: anonymous and shared pages in bytes, before and at most until `stop()`.
 * Nothing is known where there is no /proc.
 */
export function watchMemory(userDataDir) {
  const peak = {};
  const look = () => {
    for (const [name, bytes] of Object.entries(memoryOf(userDataDir))) {
      peak[name] ??= { before: bytes, most: bytes };
      peak[name].most = Math.max(peak[name].most, bytes);
    }
  };
  look();
  const timer = setInterval(look, INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return peak;
    },
  };
}

function memoryOf(userDataDir) {
  const sums = {};
  if (!existsSync('/proc')) return sums;
  for (const { kind, pid } of processesOf(userDataDir)) {
    const status = tryRead(`/proc/${pid}/status`);
    const kibibytes = [FIELD, SHARED].reduce((sum, field) => sum + Number(status.match(field)?.[1] ?? 0), 0);
    sums[kind] = (sums[kind] ?? 0) + kibibytes * 1024;
  }
  return sums;
}

/** Chrome's processes do not all carry the profile's name, but all descend from the one that does. */
function processesOf(userDataDir) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const lines = new Map(all.map((pid) => [pid, tryRead(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')]));
  const parents = new Map(
    all.map((pid) => [pid, tryRead(`/proc/${pid}/status`).match(/^PPid:\s+(\d+)$/m)?.[1]]),
  );
  const isOurs = (pid) =>
    pid !== undefined && ((lines.get(pid) ?? '').includes(userDataDir) || isOurs(parents.get(pid)));
  return all.filter(isOurs).flatMap((pid) => {
    const kind = /--type=([\w-]+)/.exec(lines.get(pid) ?? '')?.[1] ?? 'browser';
    return ['browser', 'renderer', 'gpu-process'].includes(kind) ? [{ kind, pid }] : [];
  });
}

/** A process may end while it is looked at. */
function tryRead(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Watches the JavaScript memory of the page's worker: heap and array buffers, in bytes, at most until `stop()`. Through
 * the browser's debugger, because a page sees neither.
 */
export async function watchWorkerHeap(page) {
  const session = await page.context().newCDPSession(page);
  let most = 0;
  let target = null;
  let nextId = 1;
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') target = sessionId;
  });
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { usedSize = 0, backingStorageSize = 0 } = JSON.parse(message).result ?? {};
    most = Math.max(most, usedSize + backingStorageSize);
  });
  await session.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const timer = setInterval(() => {
    if (target === null) return;
    const message = JSON.stringify({ id: nextId++, method: 'Runtime.getHeapUsage' });
    // the worker may have ended
    session.send('Target.sendMessageToTarget', { sessionId: target, message }).catch(() => undefined);
  }, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await session.detach();
      return most;
    },
  };
}

import type { LoadProgress } from '../model-ref';

/** A step as the loader reports it: without speed. */
export type LoadStep = Pick<LoadProgress, 'phase' | 'loadedBytes' | 'totalBytes'>;

export interface MeterOptions {
  /** Milliseconds, from any start. */
  readonly now?: () => number;
  /** Shortest time between two messages of one phase. Default 100. */
  readonly intervalMs?: number;
}

interface Sample {
  readonly atMs: number;
  readonly loadedBytes: number;
}

const INTERVAL_MS = 100;
/** Speed is the mean of this time: long enough to be calm, short enough to follow the network. */
const WINDOW_MS = 5000;
/** Less says nothing about a speed. */
const MIN_WINDOW_MS = 500;

/**
 * Adds speed and time left to the steps of a load, and lets through about ten messages a second: more would only keep
 * the page busy. The first and the last step of every phase are always delivered, at the latest by `flush`.
 */
export class ProgressMeter {
  readonly #send: (progress: LoadProgress) => void;
  readonly #now: () => number;
  readonly #intervalMs: number;
  #samples: Sample[] = [];
  #last: LoadStep | null = null;
  #isPaused = false;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (progress: LoadProgress) => void, options: MeterOptions = {}) {
    this.#send = send;
    this.#now = options.now ?? (() => performance.now());
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
  }

  report(step: LoadStep): void {
    const isNewPhase = step.phase !== this.#last?.phase;
    if (isNewPhase) {
      this.flush();
      this.#samples = [];
    }
    this.#last = step;
    this.#sample(step);
    const waitMs = this.#sentAtMs + this.#intervalMs - this.#now();
    const isEnd = step.totalBytes > 0 && step.loadedBytes >= step.totalBytes;
    if (isNewPhase || isEnd || waitMs <= 0) this.#deliver();
    else this.#timer ??= setTimeout(() => this.#deliver(), waitMs);
  }

  /** Tells the page at once; the time that stands still counts for no speed. */
  pause(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#samples = [];
    if (this.#last) this.#deliver();
  }

  /** Delivers what is held back. */
  flush(): void {
    if (this.#timer !== undefined) this.#deliver();
  }

  #sample({ loadedBytes }: LoadStep): void {
    const atMs = this.#now();
    this.#samples.push({ atMs, loadedBytes });
    // the oldest sample kept is the last one outside the window, so that the window is always covered
    const firstInside = this.#samples.findIndex((sample) => sample.atMs > atMs - WINDOW_MS);
    if (firstInside > 1) this.#samples.splice(0, firstInside - 1);
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentAtMs = this.#now();
    if (!this.#last) return;
    const speed = this.#isPaused ? {} : this.#speed(this.#last);
    this.#send({ ...this.#last, ...speed, ...(this.#isPaused ? { paused: true } : {}) });
  }

  #speed({ loadedBytes, totalBytes }: LoadStep): Pick<LoadProgress, 'bytesPerSecond' | 'secondsLeft'> {
    const [first] = this.#samples;
    const spanMs = first ? this.#now() - first.atMs : 0;
    if (!first || spanMs < MIN_WINDOW_MS) return {};
    const bytesPerSecond = ((loadedBytes - first.loadedBytes) * 1000) / spanMs;
    if (bytesPerSecond <= 0) return { bytesPerSecond: 0 };
    return { bytesPerSecond, secondsLeft: (totalBytes - loadedBytes) / bytesPerSecond };
  }
}

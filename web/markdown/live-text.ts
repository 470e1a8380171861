import type { MarkdownView } from './markdown-view';
import { showText } from './plain-text';

type Renderer = typeof import('./markdown-view');

/** Of each stretch of time, drawing takes at most one part in this many. */
const MAX_SHARE = 4;
/** A text this near to what is seen is formatted. */
const NEAR = '1200px 0px';

let renderer: Promise<Renderer | null> | null = null;

/** The renderer comes in a chunk of its own; null when it cannot be fetched, and the next text tries again. */
export function loadRenderer(): Promise<Renderer | null> {
  renderer ??= import('./markdown-view').catch((thrown: unknown) => {
    console.warn('tabmind could not fetch the renderer of markdown.', thrown);
    renderer = null;
    return null;
  });
  return renderer;
}

const waiting = new WeakMap<Element, () => void>();
let watch: IntersectionObserver | null = null;

/** Calls back once, when `element` is about to come into view. */
function whenNear(element: Element, callback: () => void): () => void {
  watch ??= new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) waiting.get(target)?.();
    },
    { rootMargin: NEAR, scrollMargin: NEAR },
  );
  const stop = (): void => {
    waiting.delete(element);
    watch?.unobserve(element);
  };
  waiting.set(element, () => {
    stop();
    callback();
  });
  watch.observe(element);
  return stop;
}

/**
 * Keeps an element showing a text that may still grow, at most once a frame: plain until the renderer is there, then
 * formatted. A text that does not grow stays plain until it comes near the view, so that long histories open at once.
 */
export class LiveText {
  readonly #host: HTMLElement;
  #text = '';
  #isStreaming = false;
  #view: MarkdownView | null = null;
  #isWanted = false;
  #isDisposed = false;
  #frame = 0;
  #restUntilMs = 0;
  #stopWatching = (): void => undefined;

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  update(text: string, isStreaming: boolean): void {
    this.#text = text;
    this.#isStreaming = isStreaming;
    if (isStreaming) this.#want();
    else if (!this.#isWanted) this.#stopWatching = whenNear(this.#host, () => this.#want());
    if (isStreaming && this.#host.firstChild !== null) this.#schedule();
    else this.#draw();
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#stopWatching();
    cancelAnimationFrame(this.#frame);
    this.#view?.dispose();
  }

  #want(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#stopWatching();
    void loadRenderer().then((loaded) => {
      if (loaded === null || this.#isDisposed) return;
      this.#view = new loaded.MarkdownView(this.#host);
      this.#draw();
    });
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((nowMs) => {
      this.#frame = 0;
      if (nowMs < this.#restUntilMs) this.#schedule();
      else this.#draw();
    });
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const startMs = performance.now();
    if (this.#view === null) showText(this.#host, this.#text);
    else this.#view.update(this.#text, this.#isStreaming);
    const endMs = performance.now();
    this.#restUntilMs = endMs + (endMs - startMs) * (MAX_SHARE - 1);
  }
}

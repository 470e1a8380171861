// Shows texts as the chat shows its answers, under the chat's content policy, without a model.
import '../../web/styles/tokens.css';
import '../../web/styles/base.css';
import '../../web/styles/controls.css';
import '../../web/styles/shell.css';
import '../../web/styles/chat.css';
import '../../web/styles/turns.css';
import { signal } from '@preact/signals';
import { render } from 'preact';
import { loadRenderer } from '../../web/markdown/live-text';
import { Markdown } from '../../web/markdown/markdown';
import { guardScripts } from '../../web/trusted-types';
import { frameTimes } from './frame-times';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app element.');

const text = signal('');
const isStreaming = signal(false);
const history = signal<readonly string[]>([]);

function Page() {
  return (
    <main class="transcript" aria-label="Conversation">
      <h1 class="visually-hidden">Answers in markdown</h1>
      <div class="transcript-content">
        {history.value.map((past, index) => (
          <article class={`turn ${index % 2 === 0 ? 'question' : 'answer'}`} key={past}>
            {index % 2 === 0 ? (
              <p class="turn-text">{past}</p>
            ) : (
              <div class="turn-text">
                <Markdown source={past} isStreaming={false} />
              </div>
            )}
          </article>
        ))}
        <article class="turn answer" id="answer">
          <div class="turn-text">
            <Markdown source={text} isStreaming={isStreaming.value} />
          </div>
        </article>
      </div>
    </main>
  );
}

const frame = (): Promise<number> => new Promise(requestAnimationFrame);

/** Shows `source` at once, or as it would stream: in pieces of `pieceChars`, `everyMs` apart (0: one a frame). */
async function show(source: string, pieceChars = 0, everyMs = 0): Promise<void> {
  await loadRenderer();
  text.value = '';
  isStreaming.value = pieceChars > 0;
  for (let end = pieceChars; pieceChars > 0 && end < source.length; end += pieceChars) {
    text.value = source.slice(0, end);
    await (everyMs === 0 ? frame() : new Promise((done) => setTimeout(done, everyMs)));
  }
  text.value = source;
  isStreaming.value = false;
  await frame();
}

/** Keeps the newest line in view, as the chat does while nobody scrolls. */
function followEnd(): void {
  const scroller = document.querySelector('.transcript');
  const content = document.querySelector('.transcript-content');
  if (scroller === null || content === null) throw new Error('The page has no transcript.');
  new ResizeObserver(() => scroller.scrollTo({ top: scroller.scrollHeight, behavior: 'instant' })).observe(
    content,
  );
}

/** The text so far of an answer that goes on. */
function grow(source: string): void {
  isStreaming.value = true;
  text.value = source;
}

guardScripts();
render(<Page />, root);
Object.assign(globalThis, {
  markdownPage: {
    show,
    grow,
    followEnd,
    frameTimes,
    setHistory: (texts: readonly string[]) => {
      history.value = texts;
    },
  },
});

declare global {
  var markdownPage: {
    readonly show: typeof show;
    readonly grow: typeof grow;
    readonly followEnd: typeof followEnd;
    readonly frameTimes: typeof frameTimes;
    readonly setHistory: (texts: readonly string[]) => void;
  };
}

import { useEffect, useRef, useState } from 'preact/hooks';
import { TabmindError } from '../../src/index';
import { formatCount } from '../i18n/format';
import { words } from '../i18n/locale';
import { settingsWords } from '../i18n/settings';
import { announce } from '../state/announcement';
import { storedHeads } from '../state/heads';
import { hubName } from '../state/hub-name';
import { models } from '../state/models';
import { DRAWINGS } from './drawings';
import { Icon } from './icon';

const FILE_TITLE = 'tabmind-chats';

async function saveJson(): Promise<void> {
  const { exportJson } = await import('../state/export-file');
  await exportJson(FILE_TITLE);
}

async function saveMarkdown(): Promise<void> {
  const { exportMarkdown } = await import('../state/export-file');
  await exportMarkdown(FILE_TITLE, words.value.chat);
}

async function importFile(file: File): Promise<string> {
  const { data } = settingsWords.value;
  try {
    const { importConversations } = await import('../state/import-file');
    const read = await importConversations(await file.text());
    const { numConversations, numMessages, numPrompts, numSkipped } = read;
    return [
      data.imported(formatCount(numConversations), formatCount(numMessages)),
      ...(numPrompts === 0 ? [] : [data.importedPrompts(formatCount(numPrompts))]),
      ...(numSkipped === 0 ? [] : [data.skipped(formatCount(numSkipped))]),
    ].join(' ');
  } catch (thrown) {
    const { message, meaning, remedy } = TabmindError.from(thrown);
    return [message, meaning, remedy].filter(Boolean).join(' ');
  }
}

function Transfer() {
  const { data } = settingsWords.value;
  const [outcome, setOutcome] = useState('');
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <section class="data-part">
        <h3>{data.exportTitle}</h3>
        <p class="hint">{data.exportHint}</p>
        <div class="row">
          <button type="button" class="button button-quiet" onClick={() => void saveJson()}>
            <Icon name={DRAWINGS.download} /> {data.json}
          </button>
          <button type="button" class="button button-quiet" onClick={() => void saveMarkdown()}>
            <Icon name={DRAWINGS.download} /> {data.markdown}
          </button>
        </div>
      </section>
      <section class="data-part">
        <h3>{data.importTitle}</h3>
        <p class="hint">{data.importHint}</p>
        <input
          ref={field}
          type="file"
          hidden
          accept=".json,application/json"
          onChange={async ({ currentTarget }) => {
            const file = currentTarget.files?.[0];
            if (file !== undefined) setOutcome(await importFile(file));
            // the same file may be chosen again
            currentTarget.value = '';
          }}
        />
        <button type="button" class="button button-quiet" onClick={() => field.current?.click()}>
          <Icon name={DRAWINGS.upload} /> {data.importButton}
        </button>
        <p class="hint import-outcome" role="status">
          {outcome}
        </p>
      </section>
    </>
  );
}

function Wipe() {
  const { data } = settingsWords.value;
  const [isAsking, setIsAsking] = useState(false);
  const [hasFailed, setHasFailed] = useState(false);
  const box = useRef<HTMLElement>(null);
  const hasAsked = useRef(false);
  const numChats = storedHeads().length;
  // the button that had the focus is replaced by others
  useEffect(() => {
    if (hasAsked.current) box.current?.querySelector<HTMLElement>('.wipe-focus')?.focus();
    hasAsked.current = true;
  }, [isAsking]);
  const wipe = async (): Promise<void> => {
    setHasFailed(false);
    const { wipeConversations } = await import('../state/wipe');
    if (await wipeConversations()) announce(data.wiped);
    else setHasFailed(true);
    setIsAsking(false);
  };
  return (
    <section ref={box} class="data-part">
      <h3>{data.wipeTitle}</h3>
      {isAsking ? (
        <>
          <p role="alert">{data.wipeSure(formatCount(numChats))}</p>
          <div class="row">
            <button type="button" class="button button-bad" onClick={() => void wipe()}>
              {data.wipeYes}
            </button>
            <button type="button" class="button button-quiet wipe-focus" onClick={() => setIsAsking(false)}>
              {data.wipeNo}
            </button>
          </div>
        </>
      ) : (
        <>
          {hasFailed && <p role="alert">{data.wipeFailed}</p>}
          <p class="hint">{data.wipeHint}</p>
          <button
            type="button"
            class="button button-quiet button-quiet-bad wipe-focus"
            onClick={() => setIsAsking(true)}
          >
            {data.wipe}
          </button>
        </>
      )}
    </section>
  );
}

function Privacy() {
  const { data } = settingsWords.value;
  const hosts = new Set([location.host]);
  for (const model of models.value) {
    if (model.kind === 'hub') hosts.add(hubName(model.host));
    if (model.kind === 'url') hosts.add(new URL(model.url).host);
  }
  return (
    <section class="data-part">
      <h3>{data.privacyTitle}</h3>
      <p class="hint">{data.privacy}</p>
      <ul class="hosts">
        {[...hosts].map((host) => (
          <li key={host}>
            <code>{host}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What becomes of the conversations, and who hears of them: nobody. */
export function DataSettings() {
  return (
    <>
      <Transfer />
      <Wipe />
      <Privacy />
    </>
  );
}

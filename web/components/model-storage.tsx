import { useEffect, useState } from 'preact/hooks';
import type { CachedModel } from '../../src/index';
import { formatBytes, formatCount, formatDay } from '../i18n/format';
import { pickerWords } from '../i18n/picker';
import { announce } from '../state/announcement';
import { cachedModels, modelState } from '../state/engine';
import { menuOpenings } from '../state/menu-opening';
import {
  askToKeep,
  deleteConversations,
  deleteEverything,
  deleteWeights,
  isBusy,
  isInUse,
  isKeepingDeclined,
  type PageStorage,
  pageStorage,
  refreshStorage,
} from '../state/model-storage';
import { inPicker } from '../state/picker-error';
import { IconButton } from './icon-button';

function Quota({ storage: { usedBytes, quotaBytes } }: { readonly storage: PageStorage }) {
  const text = pickerWords.value.storage;
  if (usedBytes === null || quotaBytes === null || quotaBytes === 0)
    return <p class="hint">{text.quotaUnknown}</p>;
  const label = text.quota(formatBytes(usedBytes), formatBytes(quotaBytes));
  return (
    <div class="quota">
      <svg class="memory-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect class="memory-weights" width={Math.min(100, (100 * usedBytes) / quotaBytes)} height={4} />
      </svg>
      <p class="hint">{label}</p>
    </div>
  );
}

function Keeping({ storage: { isPersistent } }: { readonly storage: PageStorage }) {
  const text = pickerWords.value.storage;
  if (isPersistent === null) return null;
  if (isPersistent) return <p class="hint">{text.kept}</p>;
  return (
    <div class="keeping">
      <p class="hint">{isKeepingDeclined.value ? text.declined : text.notKept}</p>
      <button type="button" class="button button-quiet" onClick={() => void inPicker(askToKeep, 'storage')}>
        {text.keep}
      </button>
    </div>
  );
}

function factsOf(model: CachedModel): string {
  const text = pickerWords.value.storage;
  const parts = [formatBytes(model.bytes), text.bits(model.weightBits)];
  if (!model.complete) parts.push(text.unfinished);
  else if (model.convertedAt !== null) parts.push(formatDay(model.convertedAt));
  if (isInUse(model)) parts.push(text.inUse);
  return parts.join(' · ');
}

function WeightsRow({ model }: { readonly model: CachedModel }) {
  const text = pickerWords.value.storage;
  const name = `${model.id} ${text.bits(model.weightBits)}`;
  const remove = async () => {
    await deleteWeights(model);
    announce(text.deleted(model.id));
  };
  return (
    <li class="storage-row">
      <span class="storage-words">
        <span class="model-name">{model.id}</span>
        <span class="model-facts">{factsOf(model)}</span>
      </span>
      {isBusy(model) ? (
        <span class="hint">{text.loading}</span>
      ) : (
        <IconButton icon="trash" label={text.delete(name)} onClick={() => void inPicker(remove, 'storage')} />
      )}
    </li>
  );
}

function ConversationsRow({ storage: { conversations } }: { readonly storage: PageStorage }) {
  const text = pickerWords.value.storage;
  if (conversations.count === 0) return null;
  return (
    <li class="storage-row">
      <span class="storage-words">
        <span class="model-name">{text.conversations}</span>
        <span class="model-facts">
          {text.conversationFacts(formatCount(conversations.count), formatBytes(conversations.bytes))}
        </span>
      </span>
      <IconButton
        icon="trash"
        label={text.delete(text.conversations)}
        onClick={() => void inPicker(deleteConversations, 'storage')}
      />
    </li>
  );
}

/** Two clicks, for nothing brings it back but another download. */
function DeleteAll() {
  const text = pickerWords.value.storage;
  const [isAsking, setIsAsking] = useState(false);
  if (!isAsking)
    return (
      <button type="button" class="button button-quiet" onClick={() => setIsAsking(true)}>
        {text.deleteAll}
      </button>
    );
  const remove = async () => {
    setIsAsking(false);
    await deleteEverything();
    announce(text.allDeleted);
  };
  return (
    <section class="delete-all" aria-label={text.deleteAll}>
      <p>{text.sure}</p>
      <div class="error-actions">
        <button type="button" class="button" onClick={() => void inPicker(remove, 'storage')}>
          {text.deleteNow}
        </button>
        <button type="button" class="button button-quiet" onClick={() => setIsAsking(false)}>
          {text.deleteNot}
        </button>
      </div>
    </section>
  );
}

/** What this page keeps on the computer, and how to get rid of it. */
export function ModelStorage() {
  const text = pickerWords.value.storage;
  const storage = pageStorage.value;
  const stored = cachedModels.value;
  useEffect(() => {
    void inPicker(refreshStorage, 'storage');
  }, [menuOpenings.value, modelState.value.status]);
  if (storage === null) return null;
  const isEmpty = stored.length === 0 && storage.conversations.count === 0;
  return (
    <div class="storage">
      <Quota storage={storage} />
      <Keeping storage={storage} />
      {isEmpty ? (
        <p class="hint">{text.empty}</p>
      ) : (
        <>
          <ul class="storage-list" aria-label={text.list}>
            {stored.map((model) => (
              <WeightsRow key={model.key} model={model} />
            ))}
            <ConversationsRow storage={storage} />
          </ul>
          <DeleteAll />
        </>
      )}
    </div>
  );
}

import { words } from '../i18n/locale';

/** Stands for a part of the page that could not be fetched. */
export function Unreachable() {
  return (
    <p class="hint hint-bad" role="alert">
      {words.value.models.unreachable}{' '}
      <button type="button" class="text-button" onClick={() => location.reload()}>
        {words.value.error.actions.retry}
      </button>
    </p>
  );
}

import { announcement } from '../state/announcement';

/** Says beginnings and ends to screen readers. */
export function LiveRegion() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {announcement}
    </div>
  );
}

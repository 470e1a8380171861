/** A browser tab with a spark in it; the same drawing as public/icon.svg. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="logo-ground" width="32" height="32" rx="8" />
      <path
        class="logo-tab"
        d="M4 24.5h2.6c1.7 0 2.6-1.1 2.9-2.7l1.9-10c.4-2.3 1.9-3.8 4.2-3.8h.8c2.3 0 3.8 1.5 4.2 3.8l1.9 10c.3 1.6 1.2 2.7 2.9 2.7H28"
      />
      <path
        class="logo-spark"
        d="M16 12.6l1.15 3.25 3.25 1.15-3.25 1.15L16 21.4l-1.15-3.25L11.6 17l3.25-1.15z"
      />
    </svg>
  );
}

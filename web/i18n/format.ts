import { computed } from '@preact/signals';
import { locale } from './locale';

const formats = computed(() => ({
  whole: new Intl.NumberFormat(locale.value, { maximumFractionDigits: 0 }),
  short: new Intl.NumberFormat(locale.value, { maximumSignificantDigits: 3 }),
  compact: new Intl.NumberFormat(locale.value, { notation: 'compact', maximumSignificantDigits: 3 }),
}));

export const formatCount = (count: number): string => formats.value.whole.format(count);

/** 15,736,192 → "15.7M" (Chinese: "1570万"). */
export const formatCompact = (count: number): string => formats.value.compact.format(count);

/** Three significant digits below a hundred, whole above. */
export const formatRate = (perSecond: number): string =>
  perSecond < 100 ? formats.value.short.format(perSecond) : formats.value.whole.format(perSecond);

/** Decimal units, as download sizes are written everywhere. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'] as const;
  let scaled = bytes;
  let unit: (typeof units)[number] = 'B';
  for (const next of units.slice(1)) {
    if (scaled < 999.5) break;
    scaled /= 1000;
    unit = next;
  }
  return `${scaled < 100 ? formats.value.short.format(scaled) : formats.value.whole.format(scaled)} ${unit}`;
}

/** "Nov 26, 2026". `atMs` in Unix time. */
export function formatDay(atMs: number): string {
  return new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium' }).format(atMs);
}

/** "85 ms", "1.25 s" (Chinese: "1.25 秒"). */
export function formatDuration(ms: number): string {
  const isShort = ms < 999.5;
  const units = locale.value === 'zh' ? ['毫秒', '秒'] : ['ms', 's'];
  const number = isShort ? formats.value.whole.format(ms) : formats.value.short.format(ms / 1000);
  return `${number} ${isShort ? units[0] : units[1]}`;
}

/** "23 sec", "4 min", "1.5 hr": one unit is enough for a guess. */
export function formatTimeLeft(seconds: number): string {
  const [value, unit] =
    seconds < 60
      ? ([Math.ceil(seconds), 'second'] as const)
      : seconds < 3600
        ? ([Math.round(seconds / 60), 'minute'] as const)
        : ([seconds / 3600, 'hour'] as const);
  const format = new Intl.NumberFormat(locale.value, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumSignificantDigits: 2,
  });
  return format.format(value);
}

/** Memory is counted in powers of two: "256 MiB". */
export const formatMiB = (bytes: number): string => `${formats.value.whole.format(bytes / 2 ** 20)} MiB`;

/** 0.8 → "80%". */
export const formatShare = (share: number): string =>
  new Intl.NumberFormat(locale.value, { style: 'percent' }).format(share);

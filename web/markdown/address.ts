const PROTOCOLS: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:']);

/** The absolute web or mail address that `text` is; null for all else: other schemes, and links relative to this page. */
export function webAddress(text: string): URL | null {
  const trimmed = text.trim();
  // the parser would take "https:path" and "http:\\path" as relative to this page or mend them
  if (!/^(?:https?:\/\/|mailto:)/i.test(trimmed) || !URL.canParse(trimmed)) return null;
  const address = new URL(trimmed);
  return PROTOCOLS.has(address.protocol) ? address : null;
}

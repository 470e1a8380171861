/**
 * What a page of tabmind may load, run and connect to. Scripts, styles and workers come from its own origin; models from
 * wherever the person says: any https server, or one on this computer. Nothing is inline, and text becomes HTML or a
 * script's address only through the named policies: `default` (web/trusted-types.ts) and DOMPurify's.
 */
export const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
  "base-uri 'self'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types default tabmind dompurify',
].join('; ');

/** Headers of the pages themselves; what a <meta> cannot say is here alone. */
export const PAGE_HEADERS = {
  'Content-Security-Policy': `${CONTENT_POLICY}; frame-ancestors 'none'`,
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

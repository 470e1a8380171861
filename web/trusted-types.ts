interface Policy {
  createHTML(text: string): string;
}

interface Rules {
  readonly createHTML?: (text: string) => string;
  readonly createScriptURL?: (text: string) => string;
}

/** Browsers without Trusted Types have no such property; there the content policy alone keeps scripts out. */
const factory: { createPolicy(name: string, rules: Rules): Policy } | undefined = Reflect.get(
  globalThis,
  'trustedTypes',
);

const constants = factory?.createPolicy('tabmind', { createHTML: (text) => text });

/** HTML that is part of the page's own source, such as an icon. Never for a text from elsewhere. */
export function ownHtml(constant: string): string {
  return constants?.createHTML(constant) ?? constant;
}

/**
 * From here on the address of a worker or service worker must be of the page's own origin, and a plain text is never made
 * into HTML or script. To be called once, before the first worker starts.
 */
export function guardScripts(): void {
  factory?.createPolicy('default', {
    createScriptURL: (text) => {
      const { origin, href } = new URL(text, document.baseURI);
      if (origin !== location.origin) throw new TypeError(`tabmind runs no script from elsewhere: ${href}`);
      return href;
    },
  });
}

import type { AttachedFile } from './message';

/** A question as the model reads it: each file under its name, in a fence that nothing in it can close, then the words. */
export function questionText(text: string, files: readonly AttachedFile[] = []): string {
  return [...files.map(fileText), text].join('\n\n');
}

function fileText({ name, text }: AttachedFile): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // a name may not end its line
  return `${name.replaceAll(/\s+/g, ' ')}\n${fence}\n${text.replace(/\n$/, '')}\n${fence}`;
}

/** The words of formatted answers; they come with the renderer, after the first paint. */
export const markdownEn = {
  code: 'Code',
  codeIn: (language: string) => `Code: ${language}`,
  copyCode: 'Copy code',
  wrap: 'Wrap',
  table: 'Table',
  image: (name: string, host: string) => `${name === '' ? 'Image' : name} (image on ${host})`,
};

export type MarkdownDictionary = typeof markdownEn;

import type { MarkdownDictionary } from './markdown-en';

export const markdownZh: MarkdownDictionary = {
  code: '代码',
  codeIn: (language) => `代码：${language}`,
  copyCode: '复制代码',
  wrap: '换行',
  table: '表格',
  image: (name, host) => `${name === '' ? '图片' : name}（图片位于 ${host}）`,
};

/** Makes `text` all that `element` holds; one that goes on grows by what is new, so that a selection in it lives on. */
export function showText(element: HTMLElement, text: string): void {
  const node = element.firstChild;
  const isPlain = node instanceof Text && node === element.lastChild;
  if (isPlain && text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else element.textContent = text;
}

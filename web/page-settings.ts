import { effect } from '@preact/signals';
import { locale } from './i18n/locale';
import { textSize, theme } from './state/settings';

/** Language, title, theme and text size of the document, as they are set now and whenever they change. */
export function followSettings(title: () => string): void {
  const { documentElement: root } = document;
  effect(() => {
    root.lang = locale.value === 'zh' ? 'zh-CN' : 'en';
    document.title = title();
  });
  effect(() => {
    if (theme.value === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme.value;
  });
  effect(() => {
    root.dataset.size = textSize.value;
  });
}

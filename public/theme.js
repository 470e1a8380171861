// Runs before the first paint so that a chosen theme never flashes in the other one. web/state/settings.ts writes the record.
try {
  const { theme } = JSON.parse(localStorage.getItem('tabmind.settings') ?? '{}');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch (thrown) {
  console.warn('tabmind could not read the chosen theme.', thrown);
}

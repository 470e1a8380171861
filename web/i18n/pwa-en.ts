/** The words of the installed page; they come after the first paint. */
export const pwaEn = {
  offline: 'Offline',
  offlineHint: 'No network. Everything that is stored here works as before.',
  update: {
    title: 'A new version is ready',
    reload: 'Reload',
    waits: 'Reloads after this answer',
    later: 'Later',
  },
  install: {
    title: 'Install tabmind',
    hint: 'In a window of its own, also without a network.',
    button: 'Install',
    onIos: 'Tap Share, then “Add to Home Screen”.',
  },
};

export type PwaDictionary = typeof pwaEn;

/** The words for choosing models; they come with the picker, after the first paint. */
export const pickerEn = {
  list: {
    starterNote: 'Bundled with the page, answers at once',
    stored: (size: string) => `Stored, ${size}`,
    interrupted: (size: string) => `Partly downloaded, ${size}`,
    folder: 'From a folder on this computer',
    notStored: 'Not downloaded yet',
    remove: (name: string) => `Remove ${name}`,
    removed: (name: string) => `${name} was removed`,
    warnings: 'Notes from the loader',
    stats: (parameters: string, context: string, bits: number) =>
      `${parameters} parameters · ${context} tokens · ${bits} bits`,
  },
  field: {
    label: 'Model id or address',
    placeholder: 'Qwen/Qwen2.5-0.5B-Instruct',
    hint: 'owner/name, owner/name@revision, a hub page, or the address of a folder with config.json and safetensors files.',
    button: 'Look up',
    invalid: 'This is neither a model id like owner/name nor the address of a folder.',
    invalidHub: 'First give the address of your hub below. It should start with https://',
  },
  folder: {
    open: 'Open a folder',
    hint: 'or drop it on the page',
    drop: 'Drop the model folder here',
    dropHint: 'It is read on this computer. Nothing is uploaded.',
  },
  hub: {
    summary: (name: string) => `Hub: ${name}`,
    withToken: 'with token',
    legend: 'Where models are looked up',
    own: 'Another one',
    ownLabel: 'Address of the hub',
    ownHint: 'A server that speaks like huggingface.co.',
    tokenLabel: (host: string) => `Access token for ${host}`,
    tokenHint: 'For gated and private models. It goes to this hub and nowhere else.',
    remember: 'Remember on this computer',
    rememberHint: 'Otherwise tokens are forgotten when the page is closed.',
  },
  offer: {
    title: (name: string) => `Load ${name}?`,
    facts: (id: string, architecture: string, parameters: string) =>
      `${id} · ${architecture} · ${parameters} parameters`,
    download: 'Download',
    nothing: 'Nothing',
    memory: 'Graphics memory',
    context: 'Context',
    tokens: (count: string) => `${count} tokens`,
    weights: (size: string) => `Weights ${size}`,
    kv: (size: string) => `Context ${size}`,
    scratch: (size: string) => `Working memory ${size}`,
    bits: 'Weights kept in',
    bitsLabels: { 4: '4 bits', 8: '8 bits', 16: '16 bits' },
    bitsNotes: {
      4: 'Smallest and fastest.',
      8: 'Closer to the original, twice the size.',
      16: 'The original numbers, four times the size.',
    },
    verdicts: { fits: 'It fits.', tight: 'It just fits.', 'too-big': 'Too big for this computer.' },
    advice: {
      fits: 'The graphics card gave the memory it needs when asked.',
      tight:
        'There is little room beside it, in graphics memory or on the disk. Close other programs, and remove stored models you no longer need.',
      'too-big':
        'The graphics card did not give the memory it needs, so it is not offered. Fewer bits or a smaller model may fit.',
    },
    here: (size: string) => `${size} of an earlier try are kept; it goes on from there.`,
    looking: 'Looking again…',
    start: (size: string) => `Download ${size}`,
    goOn: 'Continue the download',
    read: 'Read the folder',
    load: 'Load',
    cancel: 'Cancel',
    other: 'Choose another model',
  },
  problem: {
    gated: {
      title: 'This model is behind a gate',
      advice: 'Log in on its page and accept its terms there. Then give an access token of your account.',
      refused: 'This token does not open the model. Were its terms accepted with the same account?',
    },
    unknown: {
      title: 'The hub knows no such model',
      advice:
        'Check the name and the hub. A private model needs an access token, which is entered under Hub.',
    },
    page: 'Open its page',
    withToken: 'Try with this token',
    change: 'Change the address',
    hub: 'Choose another hub',
    close: 'Close',
  },
};

export type PickerDictionary = typeof pickerEn;

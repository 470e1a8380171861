import type { ErrorCode, LoadPhase } from '../../src/index';

export interface ErrorText {
  readonly title: string;
  /** What it means and what to do, in plain words. */
  readonly advice: string;
}

const phases: Readonly<Record<LoadPhase, string>> = {
  inspect: 'Reading the model description',
  download: 'Fetching and converting',
  convert: 'Converting weights',
  'read-cache': 'Reading stored weights',
  compile: 'Preparing the GPU programs',
  ready: 'Almost there',
};

const errors: Readonly<Record<ErrorCode, ErrorText>> = {
  'no-webgpu': {
    title: 'This browser has no WebGPU',
    advice: 'tabmind computes on your graphics card through WebGPU.',
  },
  'no-adapter': {
    title: 'The browser found no usable graphics card',
    advice: 'WebGPU is there, but it offered no adapter.',
  },
  'device-limits': {
    title: 'This model does not fit this graphics card',
    advice: 'It needs more than the card allows. Choose a smaller model or a shorter context.',
  },
  'device-lost': {
    title: 'The connection to the graphics card was lost',
    advice: 'This can happen after sleep or a driver restart. Your chat is kept; reload the model to go on.',
  },
  'out-of-memory': {
    title: 'The graphics card ran out of memory',
    advice: 'Close other tabs or programs that use it, give the model less memory, or choose a smaller one.',
  },
  'wrong-arithmetic': {
    title: 'The graphics card gave wrong results',
    advice:
      'A self-test failed, so answers could not be trusted. Update the graphics driver and the browser.',
  },
  'steps-lost': {
    title: 'The graphics card did not finish its last steps',
    advice: 'What was written before them is sound. Try again.',
  },
  shader: {
    title: 'A GPU program could not be prepared',
    advice: 'Update the browser and the graphics driver, then load the model again.',
  },
  network: {
    title: 'The model could not be fetched',
    advice: 'Check the connection and try again; what has already arrived is kept.',
  },
  'not-found': {
    title: 'There is no model at this address',
    advice: 'Check the folder address. The folder must contain config.json and safetensors files.',
  },
  'bad-checkpoint': {
    title: 'The model files are damaged or incomplete',
    advice: 'Try again in case the transfer was cut short, or choose another model.',
  },
  'unsupported-model': {
    title: 'This kind of model is not supported yet',
    advice: 'Choose a model of a supported family.',
  },
  'bad-tokenizer': {
    title: 'The tokenizer of this model cannot be read',
    advice: 'Choose another model; this one lacks a usable tokenizer.json.',
  },
  'bad-template': {
    title: 'The chat template of this model cannot be used',
    advice: 'Choose an instruct or chat variant of the model.',
  },
  quota: {
    title: 'The browser has no room left for the model',
    advice: 'Remove stored models you no longer need, or free some disk space.',
  },
  storage: {
    title: 'The browser refused to store the model',
    advice: 'Private windows often do. Allow site data for this page, then try again.',
  },
  'corrupt-cache': {
    title: 'The stored copy of the model is damaged',
    advice: 'Remove it and convert the model again.',
  },
  'context-full': {
    title: 'This chat is too long for the model',
    advice:
      'The model can read only a limited amount of text at once. Leave out the oldest turns, give the model a longer context, or start a new chat.',
  },
  'bad-request': {
    title: 'The engine refused this request',
    advice: 'A setting is out of range.',
  },
  'no-model': {
    title: 'No model is loaded',
    advice: 'Load the model and ask again.',
  },
  cancelled: {
    title: 'Loading was canceled',
    advice: 'Nothing is lost; what has arrived is kept.',
  },
  internal: {
    title: 'Something went wrong inside tabmind',
    advice: 'Loading the model again usually helps.',
  },
};

/** English is the source: its shape is the `Dictionary` that every other language must fill. */
export const en = {
  page: {
    title: 'tabmind: chat with a language model in your browser tab',
    privacy: 'Nothing you type leaves this device',
    skip: 'Skip to the message box',
  },
  bar: {
    showSidebar: 'Show the list of chats',
    hideSidebar: 'Hide the list of chats',
    newChat: 'New chat',
    settings: 'Settings',
    modelButton: (name: string, status: string) => `Model picker: ${name}, ${status}`,
  },
  status: {
    idle: 'not loaded',
    loading: 'loading',
    ready: 'ready',
    failed: 'could not be loaded',
  },
  empty: {
    heading: 'What shall we talk about?',
    starter:
      'A tiny model is already here, with no download and no account. It greets, adds, and knows a few capitals.',
    custom: (name: string) => `${name} answers here, on your own graphics card.`,
    suggestions: 'Suggestions',
    chips: [
      'Who are you?',
      'What is 27 + 15?',
      'What is the capital of France?',
      'Tell me a story about a fox',
    ],
  },
  composer: {
    label: 'Message',
    placeholder: (name: string) => `Message ${name}`,
    send: 'Send',
    stop: 'Stop',
    stopHint: 'Stop (Esc)',
  },
  chat: {
    region: 'Conversation',
    you: 'You said',
    model: 'Answer',
    waiting: 'Waiting for the model to load…',
    thinking: 'Reading your message…',
    stopped: 'Stopped',
    length: 'Reached the length limit',
    copy: 'Copy answer',
    copied: 'Copied',
    copyFailed: 'The browser refused to copy',
    retry: 'Try again',
    latest: 'To the latest message',
    started: 'Answering',
    finished: 'The answer is complete',
  },
  numbers: {
    decode: (rate: string) => `${rate} tok/s`,
    ttft: (time: string) => `first word ${time}`,
    tokens: (count: string) => `${count} tokens`,
    kv: (used: string, total: string) => `KV blocks ${used} / ${total}`,
    kvShort: (used: string, total: string) => `KV ${used} / ${total}`,
    kvHint: (tokens: string, size: string) =>
      `Attention memory in use. One block holds ${tokens} tokens; the pool is ${size}.`,
  },
  load: {
    title: (name: string) => `Loading ${name}`,
    of: (loaded: string, total: string) => `${loaded} of ${total}`,
    cancel: 'Cancel',
    idle: (name: string) => `${name} is not loaded`,
    start: 'Load model',
    here: (size: string) => `${size} of it are already here; loading goes on from there.`,
    goOn: 'Continue loading',
    left: (time: string) => `${time} left`,
    pause: 'Pause',
    resume: 'Resume',
    paused: 'Paused',
    resumed: 'Loading goes on',
    looked: 'What this model needs is shown above the message box',
    ready: (name: string) => `${name} is ready`,
    canceled: 'Loading canceled',
    phases,
  },
  models: {
    title: 'Model picker',
    starterName: 'tabmind starter',
    unreachable: 'This part of the page could not be fetched.',
  },
  settings: {
    theme: 'Appearance',
    themes: { system: 'System', light: 'Light', dark: 'Dark' },
    language: 'Language',
    languages: { auto: 'Automatic', en: 'English', zh: '中文' },
    greedy: 'Same answer every time',
    greedyHint: 'Always takes the most likely word instead of drawing one.',
    close: 'Close',
  },
  error: {
    details: 'Technical details',
    actions: {
      retry: 'Try again',
      'reload-model': 'Reload model',
      'choose-model': 'Choose another model',
      'use-starter': 'Use the starter model',
      'free-space': 'Manage stored models',
      'convert-again': 'Convert again',
      'drop-oldest': 'Leave out the oldest turns',
      'new-chat': 'Start a new chat',
      'memory-settings': 'Memory settings',
      'give-token': 'Enter an access token',
      'open-folder': 'Open the folder again',
    },
    texts: errors,
    gated: {
      title: 'This model is behind a gate',
      advice: 'Its hub wants an access token of an account that has accepted its terms.',
    },
    folder: {
      title: 'The folder has to be opened again',
      advice:
        'The browser forgets it with the page, or something in it has moved. It must hold config.json and safetensors files.',
    },
  },
  capability: {
    heading: 'tabmind needs WebGPU',
    missing:
      'This browser does not offer WebGPU, the interface through which a page computes on the graphics card. Without it no model can run here.',
    insecure:
      'Browsers offer WebGPU only to pages opened over https:// or from localhost. This page came over plain http.',
    adapter: 'This browser knows WebGPU but found no graphics card that it may use.',
    stepsTitle: 'What you can do',
    secure: {
      title: 'Open the page securely',
      text: 'Use its https:// address, or http://localhost on your own computer.',
    },
    browser: {
      title: 'Use a recent browser',
      text: 'Chrome or Edge 124 or newer. Firefox 141 or newer on Windows and Safari 26 have WebGPU too.',
    },
    acceleration: {
      title: 'Turn on graphics acceleration',
      text: 'In the browser settings, under System: “Use graphics acceleration when available”. Then restart the browser.',
    },
    linux: {
      title: 'On Linux, switch on two flags',
      text: 'Open these addresses, choose Enabled, and restart the browser:',
    },
    driver: {
      title: 'Update the graphics driver',
      text: 'Old drivers are blocked by the browser. The page chrome://gpu shows what it thinks of yours.',
    },
    copyAddress: (address: string) => `Copy ${address}`,
    again: 'Check again',
    yours: 'Your system',
  },
};

export type Dictionary = typeof en;

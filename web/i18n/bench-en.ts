import type { LoadPhase } from '../../src/index';

const phases: Readonly<Record<LoadPhase, string>> = {
  inspect: 'model description',
  download: 'fetching and converting',
  convert: 'converting',
  'read-cache': 'reading stored weights',
  compile: 'GPU programs',
  ready: 'nearly ready',
};

/** The words of the benchmark: its page, and what `npm run bench` prints. */
export const benchEn = {
  page: {
    title: 'tabmind benchmark',
    lead: 'How fast a model runs in this browser, on this graphics card. Close other tabs and keep this one in front.',
    chat: 'Chat',
  },
  form: {
    model: 'Model',
    starter: 'tabmind starter',
    random: (shape: string) => `${shape}, random weights`,
    address: '… or the address of a checkpoint',
    weights: 'Weight bits',
    kv: 'KV bits',
    arithmetic: 'Arithmetic',
    automatic: 'automatic',
    concurrency: 'Concurrency',
    lengths: 'Prompt:completion tokens',
    runs: 'Requests per lane',
    profile: 'Time every kernel',
    start: 'Start',
  },
  stages: {
    starting: 'Starting',
    loading: (phase: LoadPhase, percent: string) => `Loading: ${phases[phase]}${percent}`,
    reading: 'Measuring the read speed of the memory',
    cell: (index: number, total: number, name: string) => `Cell ${index} of ${total}: ${name}`,
    kernels: 'Timing kernels',
  },
  progress: { stop: 'Stop', stopped: 'Stopped.', done: 'Done. The report is below.' },
  report: {
    title: 'Report',
    save: 'Save as JSON',
    copy: 'Copy as JSON',
  },
  facts: {
    adapter: 'adapter',
    features: 'features',
    none: 'none',
    arithmetic: 'arithmetic',
    subgroups: (math: string, size: string) => `${math}, subgroups of ${size}`,
    browser: 'browser',
    commit: 'commit',
    unknown: 'unknown',
    model: 'model',
    modelText: (id: string, millions: string, bits: string, context: string) =>
      `${id}: ${millions} M parameters, ${bits}, context ${context}`,
    memory: 'GPU memory',
    memoryText: (weights: string, kv: string, scratch: string) =>
      `${weights} weights, ${kv} KV pool, ${scratch} scratch`,
    loads: { checkpoint: 'load (checkpoint)', cache: 'load (cache)', random: 'load (random)' },
    loadText: (total: string, weights: string, size: string, rate: string) =>
      `${total} ms, weights after ${weights} ms: ${size} at ${rate}/s`,
    step: 'a decode step',
    stepText: (dispatches: string, bindings: string, weights: string, token: string) =>
      `${dispatches} dispatches of ${bindings} bindings, ${weights} of weights and ${token} a cached token`,
    read: 'streaming read',
  },
  columns: {
    throughput: 'throughput',
    requests: 'requests',
    input: 'input tok/s',
    output: 'output tok/s',
    rate: 'req/s',
    prefill: 'prefill tok/s',
    decode: 'decode tok/s',
    bytes: 'MB/token',
    roof: 'of the roof',
    latency: 'latency, ms',
    mean: 'mean',
    kernels: 'kernels of a step',
    launches: 'launches',
    share: 'share',
  },
  charts: {
    output: 'Output tokens per second',
    ttft: 'Time to first token, P50, ms',
    itl: 'Between tokens, P95, ms',
    roof: 'Share of the memory roof, %',
    kernels: 'Kernels of a decode step, µs',
  },
  compare: {
    region: 'Compare',
    title: 'Compare two saved reports',
    before: 'A, before',
    after: 'B, after',
    start: 'Compare',
    different: (words: string) => `not the same: ${words}`,
    onlyOne: (cells: string) => `only in one of them: ${cells}`,
    compared: 'compared',
    gain: 'B is better by',
    bits: 'bits',
    flags: 'flags',
    dispatches: 'dispatches a step',
    noReport: 'One of the files is no report of this benchmark.',
  },
  problems: {
    lengths: (piece: string) =>
      `"${piece}" is no PROMPT:COMPLETION of 1 or more and 2 or more tokens, such as 128:128.`,
    count: (piece: string) => `"${piece}" is no whole number of 1 or more.`,
  },
};

export type BenchDictionary = typeof benchEn;

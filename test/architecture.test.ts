import { describe, expect, it } from 'vitest';
import { cycles, importsOf, readSources, violations } from './imports';

const sources = readSources(new URL('..', import.meta.url));
const file = (path: string, text: string) => new Map([[path, text]]);

describe('the house', () => {
  it('is read', () => {
    expect([...sources.keys()]).toContain('src/protocol.ts');
    const numImports = [...sources.values()].reduce((sum, text) => sum + importsOf(text).length, 0);
    expect(numImports).toBeGreaterThan(0);
  });

  it('has no arrow that runs the wrong way', () => {
    expect(violations(sources)).toEqual([]);
  });

  it('has no circle', () => {
    expect(cycles(sources)).toEqual([]);
  });
});

describe('the check of arrows', () => {
  it.each([
    ['web/app.tsx', "import { createEngine } from '../src/index';"],
    ['web/app.tsx', "import { Chat } from './components/chat';\nimport './styles/app.css';"],
    ['web/state/chat.ts', "import type { ChatMessage } from '../../src';"],
    [
      'src/client.ts',
      "const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });",
    ],
    ['src/engine/scheduler.ts', "import { BlockAllocator } from '../kvcache/block-allocator';"],
    ['src/kernels/gemv.ts', "import source from '../../shaders/gemv.wgsl?raw';"],
    ['src/layers/linear.ts', "import type { Device } from '../gpu/device';"],
    ['src/layers/linear.ts', "import { type Device, type Buffer } from '../gpu/device';"],
    ['src/gpu/device.ts', 'const adapter = await navigator.gpu.requestAdapter();'],
    [
      'src/models/config.ts',
      "// the window. Not window.x\nconst text = 'a window.'; use(config.window.size);",
    ],
  ])('lets %s through', (path, text) => {
    expect(violations(file(path, text))).toEqual([]);
  });

  it.each([
    ['web/app.tsx', "import { TabmindError } from '../src/errors';", 'may not import src/errors'],
    ['web/app.tsx', "const llm = await import('../src/llm');", 'may not import src/llm'],
    ['src/index.ts', "export { Llm } from './llm';", 'may not import src/llm'],
    ['src/index.ts', "export * from './gpu/device';", 'may not import src/gpu/device'],
    ['src/client.ts', "import { expose } from './worker';", 'may not import src/worker'],
    [
      'src/engine/engine.ts',
      "import {\n  KvPool,\n} from '../kvcache/kv-pool';",
      'may not import src/kvcache/kv-pool',
    ],
    [
      'src/kvcache/block-allocator.ts',
      "import { x } from './kv-pool';",
      'may not import src/kvcache/kv-pool',
    ],
    ['src/models/llama.ts', "import { gemv } from '../kernels/gemv';", 'may not import src/kernels/gemv'],
    ['src/layers/linear.ts', "import { Device } from '../gpu/device';", 'except with `import type`'],
    ['src/layers/linear.ts', "import { type A, B } from '../gpu/device';", 'except with `import type`'],
    [
      'src/layers/linear.ts',
      "import source from '../../shaders/gemv.wgsl?raw';",
      'may not import shaders/gemv.wgsl',
    ],
    [
      'src/gpu/shader.ts',
      "const all = import.meta.glob('../../shaders/*.wgsl');",
      'may not import shaders/*.wgsl',
    ],
    ['src/chat/tokenizer.ts', "import '../gpu/device';", 'may not import src/gpu/device'],
    ['src/protocol.ts', "import type { ErrorCode } from './errors';", 'may not import src/errors'],
    ['src/cellar/x.ts', "import { y } from './y';", 'stands in no room'],
    ['src/llm.ts', "import { signal } from '@preact/signals';", 'may not import @preact/signals'],
    ['src/llm.ts', 'if (navigator.gpu === undefined) fail();', 'only src/gpu'],
    ['src/llm.ts', 'document.title = name;', 'may not use document'],
    ['src/llm.ts', 'globalThis.window.close();', 'may not use window'],
    ['src/llm.ts', "new Worker(new URL('./worker.ts', import.meta.url));", 'only src/client'],
  ])('reports %s: %s', (path, text, words) => {
    const found = violations(file(path, text));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${path}: `);
    expect(found[0]).toContain(words);
  });

  it('reports circles', () => {
    const circle = new Map([
      ['src/engine/a.ts', "import { b } from './b';"],
      ['src/engine/b.ts', "import type { C } from './c';"],
      ['src/engine/c.ts', "import { a } from './a';"],
      ['src/engine/d.ts', "import { a } from './a';"],
    ]);
    expect(cycles(circle)).toEqual(['src/engine/a → src/engine/b → src/engine/c → src/engine/a']);
  });
});

import { describe, expect, it } from 'vitest';
import {
  type Defines,
  expandShader,
  MAX_PARAM_BYTES,
  type ParamLayout,
  packParams,
} from '../../src/gpu/shader';

const expand = (source: string, defines: Defines = {}, params: ParamLayout = {}, immediates = true) =>
  expandShader('sample', source, defines, params, immediates);

/** The lines that are left of a source with directives, without the head. */
const kept = (source: string, defines: Defines) =>
  expand(source, defines)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('const ') && !line.startsWith('enable '));

describe('head', () => {
  it('turns numbers into constants and leaves booleans out', () => {
    const text = expand('body', { TILE: 64, HALF: 0.5, FAST: true });
    expect(text.split('\n')).toEqual(['const TILE = 64;', 'const HALF = 0.5;', 'body']);
  });

  it('enables what the defines ask for, before anything else', () => {
    const text = expand('body', { SUBGROUP_SIZE: 32, F16: true, SUBGROUP_MATRIX: true });
    expect(text.split('\n').slice(0, 3)).toEqual([
      'enable f16;',
      'enable subgroups;',
      'enable chromium_experimental_subgroup_matrix;',
    ]);
    expect(expand('body', { SUBGROUP_SIZE: 0, F16: false, SUBGROUP_MATRIX: false })).not.toContain('enable');
  });
});

describe('#for', () => {
  it('writes its lines out, with numbers for the variable', () => {
    expect(kept('#for i in 3\nlet x$i = $i;\n#endfor\nend', {})).toEqual([
      'let x0 = 0;',
      'let x1 = 1;',
      'let x2 = 2;',
      'end',
    ]);
    expect(kept('#for i in N\nx$i\n#endfor', { N: 1 })).toEqual(['x0']);
    expect(kept('#for i in N\nx$i\n#endfor', { N: 0 })).toEqual([]);
  });

  it('nests, and holds branches', () => {
    const text = '#for i in 2\n#for j in N\ns$i$j $index\n#if F\nf$j\n#endif\n#endfor\n#endfor';
    expect(kept(text, { N: 2, F: false })).toEqual(['s00 $index', 's01 $index', 's10 $index', 's11 $index']);
    expect(kept(text, { N: 1, F: true })).toEqual(['s00 $index', 'f0', 's10 $index', 'f0']);
  });

  it('refuses a loop without an end or a number', () => {
    expect(() => expand('#for i in 2\nx')).toThrow(/sample\.wgsl: #for i in 2 without #endfor/);
    expect(() => expand('#for i in N\n#endfor')).toThrow(/#for i in N without a number/);
    expect(() => expand('#endfor')).toThrow(/misplaced directive #endfor/);
  });
});

describe('#if', () => {
  const chain = '#if A\na\n#elif B\nb\n#else\nc\n#endif\nend';

  it('takes the first branch that holds, and only that', () => {
    expect(kept(chain, { A: true, B: true })).toEqual(['a', 'end']);
    expect(kept(chain, { A: false, B: true })).toEqual(['b', 'end']);
    expect(kept(chain, { A: false, B: false })).toEqual(['c', 'end']);
  });

  it('stops at the first of several #elif', () => {
    const text = '#if N == 1\none\n#elif N > 1\nmany\n#elif N > 2\nmore\n#else\nnone\n#endif';
    expect(kept(text, { N: 1 })).toEqual(['one']);
    expect(kept(text, { N: 3 })).toEqual(['many']);
    expect(kept(text, { N: 0 })).toEqual(['none']);
  });

  it('nests: a branch inside a dead one stays dead', () => {
    const text =
      '#if A\n#if B\nab\n#elif C\nac\n#else\na\n#endif\n#else\n#if B\nb\n#elif C\nc\n#else\nnone\n#endif\n#endif';
    expect(kept(text, { A: true, B: true, C: true })).toEqual(['ab']);
    expect(kept(text, { A: true, B: false, C: true })).toEqual(['ac']);
    expect(kept(text, { A: true, B: false, C: false })).toEqual(['a']);
    expect(kept(text, { A: false, B: true, C: true })).toEqual(['b']);
    expect(kept(text, { A: false, B: false, C: true })).toEqual(['c']);
    expect(kept(text, { A: false, B: false, C: false })).toEqual(['none']);
  });

  it.each<[string, Defines, boolean]>([
    ['F', { F: true }, true],
    ['!F', { F: true }, false],
    ['N', { N: 0 }, false],
    ['!N', { N: 0 }, true],
    ['N', { N: 7 }, true],
    ['N == 4', { N: 4 }, true],
    ['N != 4', { N: 4 }, false],
    ['N < 4', { N: 4 }, false],
    ['N <= 4', { N: 4 }, true],
    ['N > M', { N: 5, M: 4 }, true],
    ['N >= M', { N: 3, M: 4 }, false],
    ['A && B', { A: true, B: false }, false],
    ['A || B', { A: true, B: false }, true],
    ['A && B || C', { A: false, B: true, C: true }, true],
    ['A || B && C', { A: true, B: false, C: false }, true],
    ['A && !B && N == 2', { A: true, B: false, N: 2 }, true],
  ])('%s with %o is %s', (expression, defines, expected) => {
    expect(kept(`#if ${expression}\nyes\n#else\nno\n#endif`, defines)).toEqual([expected ? 'yes' : 'no']);
  });

  it('names file and line of a misspelt flag', () => {
    expect(() => expand('x\n#if SUBGROPS\n#endif', { SUBGROUPS: true })).toThrow(
      /sample\.wgsl:2: SUBGROPS is not defined/,
    );
    expect(() => expand('#if A\n#elif B\n#endif', { A: false })).toThrow(/B is not defined/);
  });

  it('refuses what it cannot read', () => {
    expect(() => expand('#if A +\n#endif', { A: true })).toThrow(/cannot read #if/);
    expect(() => expand('#if\n#endif')).toThrow(/cannot read #if/);
    expect(() => expand('#if A\nx', { A: true })).toThrow(/without #endif/);
    expect(() => expand('#endif')).toThrow(/misplaced directive #endif/);
    expect(() => expand('#else')).toThrow(/misplaced directive #else/);
    expect(() => expand('#elif A', { A: true })).toThrow(/misplaced directive #elif/);
    expect(() => expand('#ifdef A', { A: true })).toThrow(/directive #ifdef/);
  });

  it('throws errors of code shader', () => {
    expect(() => expand('#nonsense')).toThrow(expect.objectContaining({ code: 'shader' }));
  });
});

describe('#import', () => {
  it('brings a shared file in once', () => {
    const text = expand('#import rng\n#import rng\nbody');
    expect(text.split('fn philox(')).toHaveLength(2);
    expect(text.indexOf('fn philox(')).toBeLessThan(text.indexOf('body'));
  });

  it('expands the directives of the imported file', () => {
    const defines = { SUBGROUP_SIZE: 0, LANES: 64, WG_SIZE: 64 };
    expect(expand('#import reduce', defines)).toContain('var<workgroup> reduce_cell');
    expect(expand('#import reduce', { ...defines, SUBGROUP_SIZE: 64 })).not.toContain(
      'var<workgroup> reduce_cell',
    );
    expect(() => expand('#import reduce')).toThrow(/reduce\.wgsl:\d+: SUBGROUP_SIZE is not defined/);
  });

  it('skips imports in a dead branch, so that a later live one counts', () => {
    expect(expand('#if A\n#import rng\n#endif\nbody', { A: false })).not.toContain('philox');
    expect(expand('#if A\n#import rng\n#endif\n#import rng', { A: false })).toContain('fn philox(');
  });

  it('refuses a file that is not there', () => {
    expect(() => expand('#import nowhere')).toThrow(/no shaders\/shared\/nowhere\.wgsl/);
  });
});

describe('#params', () => {
  const layout = { first: 'u32', scale: 'f32' } as const;

  it('is immediates where the browser has them', () => {
    const text = expand('#params\nbody', {}, layout, true);
    expect(text).toContain('struct Params {\n  first: u32,\n  scale: f32,\n}');
    expect(text).toContain('var<immediate> params: Params;');
    expect(text).not.toContain('uniform');
  });

  it('is a uniform of group 1 elsewhere', () => {
    const text = expand('#params\nbody', {}, layout, false);
    expect(text).toContain('@group(1) @binding(0) var<uniform> params: Params;');
    expect(text).not.toContain('immediate');
  });

  it('is nothing for a kernel without scalars, and in a dead branch', () => {
    expect(expand('#params\nbody')).not.toContain('Params');
    expect(expand('#if A\n#params\n#endif', { A: false }, layout)).not.toContain('Params');
  });

  it('takes 16 scalars and no more', () => {
    const many = (count: number): ParamLayout =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 'u32' as const]));
    expect(expand('#params', {}, many(MAX_PARAM_BYTES / 4))).toContain('p15: u32,');
    expect(() => expand('#params', {}, many(MAX_PARAM_BYTES / 4 + 1))).toThrow(/more than 16/);
  });
});

describe('packParams', () => {
  it('packs in layout order, whatever the order of the values', () => {
    const words = packParams({ a: 'u32', b: 'f32', c: 'u32' }, { c: 0xffffffff, b: -1.5, a: 7 });
    expect([...words]).toEqual([7, 0xbfc00000, 0xffffffff]);
  });

  it('keeps infinities and refuses what is not a number', () => {
    expect([...packParams({ a: 'f32' }, { a: Number.POSITIVE_INFINITY })]).toEqual([0x7f800000]);
    expect(() => packParams({ a: 'f32' }, { a: Number.NaN })).toThrow(/param a is NaN/);
    const missing: { readonly [name: string]: number } = {};
    expect(() => packParams<ParamLayout>({ a: 'u32' }, missing)).toThrow(/param a is undefined/);
  });

  it('makes no words of no scalars', () => {
    expect(packParams({}, {})).toHaveLength(0);
  });
});

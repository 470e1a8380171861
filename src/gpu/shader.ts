/** Turns a WGSL source with directives into plain WGSL. */

import { TabmindError } from '../errors';

/** Booleans steer `#if`; numbers also become `const NAME = value;` at the top of the module. */
export type Defines = Readonly<Record<string, boolean | number>>;

/** Scalars handed to a kernel, in order: at most 16 of them (64 bytes of immediates). */
export type ParamLayout = Readonly<Record<string, 'u32' | 'f32'>>;
export type ParamValues<L extends ParamLayout> = { readonly [K in keyof L]: number };

const SHARED: Readonly<Record<string, string>> = import.meta.glob('../../shaders/shared/*.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

export const MAX_PARAM_BYTES = 64;

/**
 * Expands `#import name` (one of `parts`, or shaders/shared/name.wgsl; once a module), `#if A && !B || C == 4` / `#else` / `#endif`,
 * `#for i in N` … `#endfor` (N a number or a define; its lines N times, with 0, 1, … for `$i`),
 * and `#params` (the struct and variable of the kernel's scalars, as immediates or as a uniform; `#params launch` names the
 * variable `launch`).
 * Unknown names are errors, so that a misspelt flag cannot silently choose a branch.
 */
export function expandShader(
  name: string,
  source: string,
  defines: Defines,
  params: ParamLayout,
  immediates: boolean,
  parts: Readonly<Record<string, string>> = {},
): string {
  const texts: Texts = {
    seen: new Set(),
    params: (variable) => paramText(variable, params, immediates),
    imported: (from, part) => parts[part] ?? sharedSource(from, part),
  };
  const body = expandLines(name, source, defines, texts);
  const head: string[] = [];
  if (defines.F16 === true) head.push('enable f16;');
  if (typeof defines.SUBGROUP_SIZE === 'number' && defines.SUBGROUP_SIZE > 0) head.push('enable subgroups;');
  if (defines.SUBGROUP_MATRIX === true)
    // Offsets come from the index of the subgroup, which the compiler cannot see to be the same for all its threads.
    head.push(
      'enable chromium_experimental_subgroup_matrix;',
      'diagnostic(off, chromium.subgroup_matrix_uniformity);',
    );
  for (const [key, value] of Object.entries(defines))
    if (typeof value === 'number') head.push(`const ${key} = ${value};`);
  return `${head.join('\n')}\n${body}`;
}

/** What directives stand for. */
interface Texts {
  /** Names that were imported. */
  readonly seen: Set<string>;
  params(variable: string): string;
  imported(from: string, name: string): string;
}

function expandLines(name: string, source: string, defines: Defines, texts: Texts): string {
  const out: string[] = [];
  const open: { taken: boolean; live: boolean }[] = [];
  const live = () => open.every((level) => level.live);
  for (const [index, line] of unrolled(name, source.split('\n'), defines).entries()) {
    const directive = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line);
    if (!directive) {
      if (live()) out.push(line);
      continue;
    }
    const [, word = '', rest = ''] = directive;
    const top = open.at(-1);
    if (word === 'if') {
      const value = live() && holds(name, index, rest, defines);
      open.push({ taken: value, live: value });
    } else if (word === 'elif' && top) {
      const outer = open.slice(0, -1).every((level) => level.live);
      top.live = outer && !top.taken && holds(name, index, rest, defines);
      top.taken ||= top.live;
    } else if (word === 'else' && top) {
      top.live = !top.taken;
      top.taken = true;
    } else if (word === 'endif' && top) open.pop();
    else if (word === 'params') out.push(live() ? texts.params(rest || 'params') : '');
    else if (word === 'import') {
      if (live() && !texts.seen.has(rest)) {
        texts.seen.add(rest);
        out.push(expandLines(rest, texts.imported(name, rest), defines, texts));
      }
    } else throw shaderError(`${name}.wgsl:${index + 1}: unknown or misplaced directive #${word}`);
  }
  if (open.length > 0) throw shaderError(`${name}.wgsl: #if without #endif`);
  return out.join('\n');
}

/** Lines of `#for` loops, written out. */
function unrolled(name: string, lines: readonly string[], defines: Defines): readonly string[] {
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const [, variable, bound = ''] = /^\s*#for (\w+) in (\w+)\s*$/.exec(line) ?? [];
    if (variable === undefined) {
      out.push(line);
      continue;
    }
    const end = endOfLoop(lines, at);
    const times = /^\d+$/.test(bound) ? Number(bound) : defines[bound];
    if (end === undefined || typeof times !== 'number')
      throw shaderError(`${name}.wgsl: #for ${variable} in ${bound} without ${end ? 'a number' : '#endfor'}`);
    const own = new RegExp(`\\$${variable}(?!\\w)`, 'g');
    for (let i = 0; i < times; i++) {
      const body = lines.slice(at + 1, end).map((text) => text.replace(own, String(i)));
      out.push(...unrolled(name, body, defines));
    }
    at = end;
  }
  return out;
}

function endOfLoop(lines: readonly string[], start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < lines.length; at++) {
    const line = lines[at]?.trim() ?? '';
    if (line.startsWith('#for ')) depth++;
    else if (line === '#endfor' && --depth === 0) return at;
  }
  return undefined;
}

function sharedSource(from: string, name: string): string {
  const text = SHARED[`../../shaders/shared/${name}.wgsl`];
  if (text === undefined) throw shaderError(`${from}.wgsl: no shaders/shared/${name}.wgsl`);
  return text;
}

function holds(name: string, index: number, expression: string, defines: Defines): boolean {
  const term = (text: string): boolean => {
    const match = /^(!?)(\w+)(?:\s*(==|!=|>|<|>=|<=)\s*(\w+))?$/.exec(text.trim());
    if (!match) throw shaderError(`${name}.wgsl:${index + 1}: cannot read #if ${expression}`);
    const [, not, left = '', operator, right = ''] = match;
    const value = defines[left];
    if (value === undefined) throw shaderError(`${name}.wgsl:${index + 1}: ${left} is not defined`);
    if (!operator) return (not === '!') !== (typeof value === 'number' ? value !== 0 : value);
    const other = /^\d+$/.test(right) ? Number(right) : Number(defines[right]);
    if (Number.isNaN(other)) throw shaderError(`${name}.wgsl:${index + 1}: ${right} is not defined`);
    const number = Number(value);
    const results = {
      '==': number === other,
      '!=': number !== other,
      '>': number > other,
      '<': number < other,
      '>=': number >= other,
      '<=': number <= other,
    };
    return results[operator as keyof typeof results];
  };
  return expression.split('||').some((all) => all.split('&&').every(term));
}

function paramText(variable: string, params: ParamLayout, immediates: boolean): string {
  const fields = Object.entries(params).map(([field, type]) => `  ${field}: ${type},`);
  if (fields.length === 0) return '';
  if (fields.length * 4 > MAX_PARAM_BYTES) throw shaderError('more than 16 params');
  const struct = `${variable.charAt(0).toUpperCase()}${variable.slice(1)}`;
  const place = immediates ? 'var<immediate>' : '@group(1) @binding(0) var<uniform>';
  return `struct ${struct} {\n${fields.join('\n')}\n}\n${place} ${variable}: ${struct};`;
}

/** Packs the scalars in layout order. Throws when a value is missing or not a number. */
export function packParams<L extends ParamLayout>(
  layout: L,
  values: ParamValues<L>,
): Uint32Array<ArrayBuffer> {
  const names = Object.keys(layout);
  const words = new Uint32Array(names.length);
  let index = 0;
  for (const name of names) {
    const value: number | undefined = values[name];
    if (value === undefined || Number.isNaN(value)) throw shaderError(`param ${name} is ${value}`);
    words[index++] = layout[name] === 'f32' ? floatBits(value) : value;
  }
  return words;
}

const oneFloat = new Float32Array(1);
const itsBits = new Uint32Array(oneFloat.buffer);

function floatBits(value: number): number {
  oneFloat[0] = value;
  return itsBits[0] ?? 0;
}

function shaderError(message: string): TabmindError {
  return new TabmindError('shader', message, { meaning: 'A GPU program of tabmind could not be built.' });
}

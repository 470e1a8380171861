import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { QuantizeCall } from '../../src/kernels/quantize';
import { maxQuantizeRows, NOT_FINITE, TOO_LARGE } from '../../src/kernels/quantize';
import { packedLinear } from '../../src/weights/packed-tensor';
import { floatToHalf } from '../reference/half';
import { packedElement } from '../reference/packed';
import { quantizeTwin } from '../reference/quantize';
import { Random } from '../reference/random';

type Format = 'w4' | 'w8' | 'w16';

/** Packs a matrix of one row per element of `rows`, as f32. */
function pack(rows: readonly (readonly number[])[], format: Format, groupSize = 128) {
  const cols = rows[0]?.length ?? 0;
  const tensor = packedLinear('w', format, rows.length, cols, groupSize);
  const words = new Uint32Array(tensor.totalBytes / 4);
  const flags = new Uint32Array(1);
  const call: QuantizeCall = {
    dtype: 'F32',
    format,
    groupSize: tensor.groupSize,
    rows: rows.length,
    cols,
    paddedCols: tensor.paddedCols,
    codesAt: 0,
    scalesAt: tensor.codesBytes / 4,
    flagAt: 0,
  };
  quantizeTwin(new Uint8Array(Float32Array.from(rows.flat()).buffer), call, words, flags);
  const scaleOf = (row: number, group: number) =>
    words[tensor.codesBytes / 4 + row * tensor.numGroups + group] ?? 0;
  return {
    tensor,
    words,
    flag: flags[0],
    scaleOf,
    at: (r: number, k: number) => packedElement(tensor, words, r, k),
  };
}

describe('round to nearest', () => {
  it('keeps what lies on the grid', () => {
    const row = Array.from({ length: 32 }, (_, k) => ((k % 16) - 5) * 0.25);
    const { at, words, scaleOf } = pack([row], 'w4', 32);
    expect(row.map((_, k) => at(0, k))).toEqual(row);
    expect(words[0]).toBe(0x76543210);
    // s = 0.25 is 0x3400, z = 5 is 0x4500
    expect(scaleOf(0, 0)).toBe(0x45003400);
  });

  it('rounds ties to even', () => {
    // s = 1, z = 0: halves go to the even neighbour
    const row = [0, 15, 0.5, 1.5, 2.5, 13.5];
    const { at } = pack([row], 'w4', 32);
    expect(row.map((_, k) => at(0, k))).toEqual([0, 15, 0, 2, 2, 14]);
  });

  it.each([
    ['w4', 15],
    ['w8', 255],
  ] as const)('errs by half a step at most, in groups of any size and side (%s)', (format, maxCode) => {
    const random = new Random(5);
    for (let round = 0; round < 300; round++) {
      const scale = 10 ** random.between(-7, 3);
      const shift = random.pick([0, 0, 4, -4]) * scale;
      const row = Array.from({ length: 64 }, () => Math.fround(random.normal() * scale + shift));
      const { at } = pack([row], format, 64);
      const range = Math.max(1e-5, Math.max(0, ...row) - Math.min(0, ...row));
      // the scale is a half: it may be off by 2^-11, or by one unit of the subnormal halves
      const step = Math.max((range / maxCode) * (1 + 2 ** -11), range / maxCode + 2 ** -24);
      const slack = (range / 2) * 2 ** -11;
      for (const [k, value] of row.entries())
        expect(Math.abs(at(0, k) - value)).toBeLessThanOrEqual(step / 2 + slack);
    }
  });

  it('leaves zero at zero', () => {
    const { at } = pack([[0, 1, 2, 3, 4, 5, 6, 7]], 'w4', 32);
    expect(at(0, 0)).toBe(0);
    expect(pack([[0, 0, 0, 0]], 'w8', 32).at(0, 2)).toBe(0);
  });

  it('keeps groups and rows apart, the last group short, and pads with zeros', () => {
    const row = Array.from({ length: 40 }, (_, k) => (k < 32 ? 1000 : 0.001) * (k % 2 ? 1 : -1));
    const { tensor, words, at } = pack([row, row.map((value) => -value)], 'w8', 32);
    expect([tensor.paddedCols, tensor.numGroups]).toEqual([64, 2]);
    expect(Math.abs(at(0, 39) - 0.001)).toBeLessThan(1e-5);
    expect(Math.abs(at(1, 39) + 0.001)).toBeLessThan(1e-5);
    for (const r of [0, 1]) expect([...words.subarray(r * 16 + 10, r * 16 + 16)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('flags what cannot be packed', () => {
    expect(pack([[1, Number.NaN]], 'w4').flag).toBe(NOT_FINITE);
    expect(pack([[1, Number.NEGATIVE_INFINITY]], 'w16').flag).toBe(NOT_FINITE);
    expect(pack([[1, 70000]], 'w16').flag).toBe(TOO_LARGE);
    expect(pack([[1, 70000]], 'w4').flag).toBe(0);
    expect(pack([[1, 1e7]], 'w4').flag).toBe(TOO_LARGE);
  });

  it('stores halves for 16 bits', () => {
    const row = [1 / 3, -2, 6e-8, 65504];
    const { words } = pack([row], 'w16');
    expect([...new Uint16Array(words.buffer).subarray(0, 4)]).toEqual(row.map(floatToHalf));
  });

  it('has the error of the published scheme on the starter model', () => {
    const { relativeError, groups } = starterError('model.layers.0.mlp.down_proj.weight', 'w4');
    // measured with numpy for w4_g128_f16scale
    expect(relativeError).toBeGreaterThan(0.008);
    expect(relativeError).toBeLessThan(0.013);
    expect(groups).toBe(384 * 8);
    expect(starterError('model.layers.0.mlp.down_proj.weight', 'w8').relativeError).toBeLessThan(6e-5);
  });

  it('fits a dispatch', () => {
    expect(maxQuantizeRows('w4', 128, 4096)).toBe(Math.floor((65535 * 64) / 32));
    expect(maxQuantizeRows('w16', 0, 32)).toBe(65535 * 64);
  });
});

/** Squared error over squared weight. */
function starterError(name: string, format: 'w4' | 'w8') {
  const bytes = readFileSync(new URL('../../public/models/starter/model.safetensors', import.meta.url));
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const entry = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString())[name];
  const [rows, cols] = entry.shape;
  const data = new Uint8Array(
    bytes.subarray(8 + headerBytes + entry.data_offsets[0], 8 + headerBytes + entry.data_offsets[1]),
  );
  const tensor = packedLinear('w', format, rows, cols);
  const words = new Uint32Array(tensor.totalBytes / 4);
  const { paddedCols, groupSize } = tensor;
  quantizeTwin(
    data,
    {
      dtype: 'F16',
      format,
      groupSize,
      rows,
      cols,
      paddedCols,
      codesAt: 0,
      scalesAt: tensor.codesBytes / 4,
      flagAt: 0,
    },
    words,
    new Uint32Array(1),
  );
  const exact = packedLinear('w', 'w16', rows, cols);
  const halves = new Uint32Array(exact.totalBytes / 4);
  new Uint8Array(halves.buffer).set(data);
  let [error, energy] = [0, 0];
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < cols; k++) {
      const value = packedElement(exact, halves, r, k);
      error += (packedElement(tensor, words, r, k) - value) ** 2;
      energy += value ** 2;
    }
  return { relativeError: error / energy, groups: rows * tensor.numGroups };
}

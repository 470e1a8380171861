import { describe, expect, it } from 'vitest';
import type { PrefillBatch } from '../../src/engine/batch';
import { TabmindError } from '../../src/errors';
import { fixedLength, ropeFrequencies, ropeRows, ropeTable } from '../../src/models/rope';
import { parseRope, type RopeConfig, stretchedLength } from '../../src/models/rope-config';
import { RopeTables } from '../../src/runner/rope-tables';

const HEAD_DIM = 64;
const RAW = { max_position_embeddings: 256 };

function rope(scaling: object | null, change: object = {}): RopeConfig {
  return parseRope({ ...RAW, rope_scaling: scaling, ...change }, HEAD_DIM);
}

function failure(scaling: object, change: object = {}): string {
  try {
    rope(scaling, change);
  } catch (thrown) {
    if (thrown instanceof TabmindError) return `${thrown.code} ${thrown.message}`;
  }
  throw new Error('no TabmindError');
}

const plain = (i: number, theta = 10000, dim = HEAD_DIM) => theta ** (-(2 * i) / dim);

describe('parseRope', () => {
  it('reads both spellings and the old key', () => {
    expect(rope({ type: 'linear', factor: 4 }).scaling).toEqual({ type: 'linear', factor: 4 });
    const modern = { rope_parameters: { rope_type: 'dynamic', factor: 2, rope_theta: 7 } };
    expect(rope(null, modern)).toEqual({
      theta: 7,
      rotaryDim: 64,
      scaling: { type: 'dynamic', factor: 2, trainedLength: 256 },
    });
    expect(rope(null, { rope_parameters: { rope_type: 'default', rope_theta: 9 } })).toEqual({
      theta: 9,
      rotaryDim: 64,
      scaling: null,
    });
  });

  it('rotates a part of the head', () => {
    expect(rope(null, { partial_rotary_factor: 0.75 }).rotaryDim).toBe(48);
    expect(rope(null, { rope_parameters: { partial_rotary_factor: 0.25 } }).rotaryDim).toBe(16);
    expect(failure({}, { partial_rotary_factor: 0.05 })).toContain('partial_rotary_factor');
    expect(failure({}, { partial_rotary_factor: 1.5 })).toContain('partial_rotary_factor');
  });

  it('takes the trained length from the top, then from the rope, then from max_position_embeddings', () => {
    const yarn = { rope_type: 'yarn', factor: 4 };
    const key = 'original_max_position_embeddings';
    const trained = (scaling: object, change = {}) => {
      const parsed = rope(scaling, change).scaling;
      return parsed?.type === 'yarn' ? parsed.trainedLength : null;
    };
    expect(trained(yarn)).toBe(256);
    expect(trained({ ...yarn, [key]: 32 })).toBe(32);
    expect(trained({ ...yarn, [key]: 32 }, { [key]: 16 })).toBe(16);
  });

  it('works out the factors on cos and sin', () => {
    const factorOf = (scaling: object) => ropeFrequencies(rope(scaling), 1).factor;
    const yarn = { rope_type: 'yarn', factor: 8 };
    expect(factorOf(yarn)).toBeCloseTo(0.1 * Math.log(8) + 1, 12);
    expect(factorOf({ ...yarn, mscale: 1, mscale_all_dim: 1 })).toBe(1);
    expect(factorOf({ ...yarn, mscale: 0.5, mscale_all_dim: 0 })).toBeCloseTo(0.1 * Math.log(8) + 1, 12);
    expect(factorOf({ ...yarn, attention_factor: 1.25 })).toBe(1.25);
    const factors = new Array(32).fill(1);
    const long = { type: 'su', short_factor: factors, long_factor: factors };
    const trained = { ...long, original_max_position_embeddings: 64 };
    expect(factorOf(trained)).toBeCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(64)), 12);
    expect(factorOf(long)).toBe(1);
  });

  it('refuses a rope without its numbers', () => {
    expect(failure({ rope_type: 'llama3', factor: 8 })).toContain('low_freq_factor');
    expect(failure({ type: 'linear' })).toContain('factor');
    expect(failure({ type: 'dynamic', factor: 0 })).toContain('factor');
    expect(failure({ type: 'longrope', long_factor: [1] })).toContain('short_factor');
    const negative = [-1, ...new Array(31).fill(1)];
    expect(failure({ type: 'longrope', short_factor: negative, long_factor: negative })).toContain(
      'short_factor',
    );
    expect(failure({}, { rope_scaling: 'yes' })).toContain('rope_scaling');
    expect(failure({}, { rope_parameters: { full_attention: { rope_theta: 5 } } })).toContain('layer type');
    expect(failure({ type: 'mrope' })).toContain('unsupported-model');
  });

  it('keeps ropes of different layers apart', () => {
    const raw = {
      ...RAW,
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 2, rope_theta: 3 },
        sliding_attention: { rope_theta: 5 },
      },
    };
    expect(parseRope(raw, HEAD_DIM, {}, 'full_attention')).toMatchObject({
      theta: 3,
      scaling: { factor: 2 },
    });
    expect(parseRope(raw, HEAD_DIM, {}, 'sliding_attention')).toMatchObject({ theta: 5, scaling: null });
  });

  it('says how far a stretched rope reaches', () => {
    expect(stretchedLength(null, 256)).toBe(256);
    expect(stretchedLength({ type: 'linear', factor: 4 }, 256)).toBe(1024);
    expect(stretchedLength(rope({ type: 'dynamic', factor: 2 }).scaling, 256)).toBe(512);
    const yarn = rope({ type: 'yarn', factor: 4, original_max_position_embeddings: 200 });
    expect(stretchedLength(yarn.scaling, 256)).toBe(800);
  });
});

describe('ropeFrequencies', () => {
  it('is a geometric row', () => {
    const { frequencies, factor } = ropeFrequencies(rope(null, { rope_theta: 500 }), 1);
    expect(factor).toBe(1);
    expect(frequencies).toHaveLength(32);
    for (const i of [0, 1, 17, 31]) expect(frequencies[i]).toBeCloseTo(plain(i, 500), 14);
  });

  it('slows all waves alike with linear scaling', () => {
    const { frequencies } = ropeFrequencies(rope({ type: 'linear', factor: 4 }), 1000);
    for (const i of [0, 5, 31]) expect(frequencies[i]).toBeCloseTo(plain(i) / 4, 14);
  });

  it('keeps short waves, slows long ones and blends between them with llama3 scaling', () => {
    const numbers = { factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
    const scaling = { rope_type: 'llama3', ...numbers, original_max_position_embeddings: 64 };
    const { frequencies } = ropeFrequencies(rope(scaling), 1);
    for (let i = 0; i < 32; i++) {
      const wave = (2 * Math.PI) / plain(i);
      const smooth = Math.min(1, Math.max(0, (64 / wave - 1) / 3));
      expect(frequencies[i]).toBeCloseTo(plain(i) * (smooth + (1 - smooth) / 8), 12);
    }
  });

  it('blends over the dims with yarn', () => {
    const scaling = { rope_type: 'yarn', factor: 16, original_max_position_embeddings: 32 };
    const { frequencies } = ropeFrequencies(rope(scaling, { rope_theta: 1e6 }), 1);
    // by hand: beta 32 turns are never reached in 32 tokens (dim −8 → 0); one turn is at dim 3.77 → 4
    const ramp = (i: number) => Math.min(1, i / 4);
    for (let i = 0; i < 32; i++)
      expect(frequencies[i]).toBeCloseTo(plain(i, 1e6) * (1 - ramp(i) + ramp(i) / 16), 12);
  });

  it('raises the base with the length under dynamic scaling', () => {
    const dynamic = rope({ type: 'dynamic', factor: 2 });
    expect(fixedLength(dynamic)).toBe(256);
    for (const length of [1, 256])
      expect(ropeFrequencies(dynamic, length).frequencies[9]).toBeCloseTo(plain(9), 14);
    const base = 10000 * ((2 * 300) / 256 - 1) ** (64 / 62);
    expect(ropeFrequencies(dynamic, 300).frequencies[9]).toBeCloseTo(plain(9, base), 14);
  });

  it('chooses the factors by the length under longrope', () => {
    const short_factor = Array.from({ length: 24 }, (_, i) => 1 + i / 10);
    const long_factor = Array.from({ length: 24 }, (_, i) => 2 + i);
    const long = rope(
      { type: 'longrope', short_factor, long_factor, original_max_position_embeddings: 60 },
      { partial_rotary_factor: 0.75 },
    );
    expect(fixedLength(long)).toBe(60);
    expect(ropeFrequencies(long, 60).frequencies[7]).toBeCloseTo(plain(7, 10000, 48) / 1.7, 14);
    expect(ropeFrequencies(long, 61).frequencies[7]).toBeCloseTo(plain(7, 10000, 48) / 9, 14);
  });
});

describe('rope tables', () => {
  const dynamic = rope({ type: 'dynamic', factor: 2 }, { max_position_embeddings: 8 });
  const pair = (row: Float32Array, position: number, i: number) => {
    const at = position * HEAD_DIM + 2 * i;
    return [row[at], row[at + 1]];
  };
  const angle = (config: RopeConfig, position: number, i: number, length: number) =>
    position * (ropeFrequencies(config, length).frequencies[i] ?? Number.NaN);

  it('holds cos and sin of position times frequency, times the factor', () => {
    const yarn = rope({ type: 'yarn', factor: 8 });
    const table = ropeTable(yarn, 40);
    expect(table).toHaveLength(40 * HEAD_DIM);
    for (const [position, i] of [
      [0, 0],
      [1, 3],
      [39, 31],
      [39, 1],
    ] as const) {
      const [cosine, sine] = pair(table, position, i);
      const factor = 0.1 * Math.log(8) + 1;
      expect(cosine).toBeCloseTo(Math.cos(angle(yarn, position, i, 1)) * factor, 5);
      expect(sine).toBeCloseTo(Math.sin(angle(yarn, position, i, 1)) * factor, 5);
    }
  });

  it('gives tokens that come one by one the frequencies of the length so far', () => {
    const table = ropeTable(dynamic, 16);
    for (const position of [0, 7, 8, 15])
      expect(pair(table, position, 9)[1]).toBeCloseTo(Math.sin(angle(dynamic, position, 9, position + 1)), 6);
  });

  it('gives all tokens of a prompt the frequencies of its length', () => {
    const rows = ropeRows(dynamic, 4, 3, 15);
    expect(rows).toHaveLength(3 * HEAD_DIM);
    for (const row of [0, 2])
      expect(pair(rows, row, 9)[1]).toBeCloseTo(Math.sin(angle(dynamic, 4 + row, 9, 15)), 6);
  });

  it('keeps a second table for long prompts of ropes that depend on the length', () => {
    const ropes = new RopeTables([rope(null), dynamic]);
    expect(ropes.numTables).toBe(3);
    expect([...ropes.tables(4)].map((table) => table.length)).toEqual([256, 256]);
    expect([ropes.tableOf(0, 99), ropes.tableOf(1, null), ropes.tableOf(1, 8), ropes.tableOf(1, 9)]).toEqual([
      0, 1, 1, 2,
    ]);
    const chunk = (totalTokens: number): PrefillBatch => ({
      slot: 0,
      tokenIds: Uint32Array.of(1, 2, 3),
      startPosition: 4,
      totalTokens,
      blockTable: [0],
      sample: true,
      verifies: false,
    });
    expect([...ropes.chunkRows(chunk(8))]).toEqual([]);
    expect([...ropes.chunkRows(chunk(15))]).toEqual([
      { table: 2, position: 4, rows: ropeRows(dynamic, 4, 3, 15) },
    ]);
  });
});

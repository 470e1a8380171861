import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/models/registry';
import { chooseKeyBias, KeyBiasTables } from '../../src/runner/key-bias';
import { Random } from '../reference/random';

const HEADS = { hidden_size: 64, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 };

function config(changes: Readonly<Record<string, unknown>> = {}) {
  const sizes = { ...HEADS, intermediate_size: 8, num_hidden_layers: 3, vocab_size: 9, rms_norm_eps: 1e-5 };
  return parseModelConfig(
    JSON.stringify({ model_type: 'qwen2', max_position_embeddings: 100, ...sizes, ...changes }),
  );
}

/** Three layers of small biases with these put into layer 1. */
function biases(outliers: Readonly<Record<number, number>> = {}): Float32Array[] {
  const random = new Random(3);
  return [0, 1, 2].map((layer) => {
    const bias = random.normals(32, 0.3);
    if (layer === 1) for (const [at, value] of Object.entries(outliers)) bias[Number(at)] = value;
    return bias;
  });
}

const DYNAMIC = { rope_scaling: { rope_type: 'dynamic', factor: 2 } };

describe('the choice of K bias that stays out of the cache', () => {
  it('leaves a bias without outliers in K', () => {
    expect(chooseKeyBias(config(), biases(), 100)).toEqual([null, null, null]);
  });

  it('takes the pairs of both dims, by layer and by head', () => {
    // head 0: dims 3 and 13 are of pairs 3 and 5; head 1: dim 10 of pair 2
    const [first, second, third] = chooseKeyBias(config(), biases({ 3: 180, 13: -75, 26: 40 }), 100);
    expect([first, third]).toEqual([null, null]);
    expect(second?.pairs).toEqual([[3, 5], [2]]);
    expect(second?.numPairs).toBe(4);
    const kept = [...(second?.values.entries() ?? [])].flatMap(([at, value]) => (value === 0 ? [] : [at]));
    expect(kept).toEqual([3, 5, 11, 13, 18, 26]);
    expect([second?.values[3], second?.values[13], second?.values[26]]).toEqual([180, -75, 40]);
  });

  it('rounds the number of pairs up to a power of two', () => {
    const five = Object.fromEntries([0, 1, 2, 3, 4].map((d) => [d, 50]));
    expect(chooseKeyBias(config(), biases(five), 100)[1]?.numPairs).toBe(8);
  });

  it('pairs neighbours where the rope does, and drops the bias of dims that are not rotated', () => {
    const glm = config({ model_type: 'glm4', partial_rotary_factor: 0.5 });
    const [first, second] = chooseKeyBias(glm, biases({ 3: 180 }), 100);
    expect(first?.numPairs).toBe(0);
    expect(first?.values.slice(0, 8).every((value) => value === 0)).toBe(true);
    expect([...(first?.values.slice(8, 16) ?? [])]).toEqual([...(biases()[0]?.slice(8, 16) ?? [])]);
    expect(second?.pairs).toEqual([[1], []]);
  });

  it('keeps the bias of dims that are not rotated where scores are capped', () => {
    const glm = { ...config({ model_type: 'glm4', partial_rotary_factor: 0.5 }), attentionSoftcap: 5 };
    const [first, second] = chooseKeyBias(glm, biases({ 3: 180, 12: 180 }), 100);
    expect(first).toBeNull();
    expect([second?.values[3], second?.values[12]]).toEqual([180, 0]);
  });

  it('keeps all in K where keys may have been rotated by two tables', () => {
    const dynamic = config(DYNAMIC);
    expect(chooseKeyBias(dynamic, biases({ 3: 180 }), 100)[1]?.pairs).toEqual([[3], []]);
    expect(chooseKeyBias(dynamic, biases({ 3: 180 }), 101)).toEqual([null, null, null]);
  });

  it('takes layers without a bias', () => {
    expect(chooseKeyBias(config(), [null, null, null], 100)).toEqual([null, null, null]);
    const [, bias] = biases({ 3: 180 });
    expect(chooseKeyBias(config(), [null, bias ?? null, null], 100)[1]?.pairs).toEqual([[3], []]);
  });
});

describe('the tables of K bias', () => {
  it('lie one behind the other, each with bias, pairs and their values', () => {
    const all = biases({ 3: 180, 26: 40 });
    const layers = chooseKeyBias(config(), [all[1] ?? null, all[0] ?? null, all[1] ?? null], 100);
    const tables = new KeyBiasTables(config(), layers);
    const each = 2 * (16 + 3 * 4);
    expect(tables.words.length).toBe(2 * each);
    expect(tables.rowFloats).toBe(4 * 4 * 2);
    const state = { keyBiasAt: 1000 } as Parameters<KeyBiasTables['call']>[1];
    const terms = { at: 64, stride: 32 };
    expect(tables.call(1, state, terms)).toBeNull();
    expect(tables.call(2, state, terms)).toEqual({
      tableAt: 1000 + each,
      numPairs: 4,
      termsAt: 64,
      termsStride: 32,
    });
    const floats = new Float32Array(tables.words.buffer);
    const head = each + 16 + 12;
    expect(floats[head + 10]).toBe(40);
    expect([...tables.words.slice(head + 16, head + 20)]).toEqual([2, 0, 0, 0]);
    expect([...floats.slice(head + 20, head + 28)]).toEqual([all[1]?.[18], 40, 0, 0, 0, 0, 0, 0]);
  });
});

import type { RandomShape } from '../model-ref';
import internlm2_1_8b from './shapes/internlm2-1.8b.json?raw';
import llama3_1_8b from './shapes/llama-3.1-8b.json?raw';
import qwen2_5_0_5b from './shapes/qwen2.5-0.5b.json?raw';
import qwen2_5_1_5b from './shapes/qwen2.5-1.5b.json?raw';
import qwen2_5_7b from './shapes/qwen2.5-7b.json?raw';
import qwen3_0_6b from './shapes/qwen3-0.6b.json?raw';
import qwen3_1_7b from './shapes/qwen3-1.7b.json?raw';
import qwen3_4b from './shapes/qwen3-4b.json?raw';
import qwen3_8b from './shapes/qwen3-8b.json?raw';

/** The config.json of real models: sizes, heads and ropes as published. */
export const RANDOM_SHAPES: Readonly<Record<RandomShape, string>> = {
  'qwen2.5-0.5b': qwen2_5_0_5b,
  'qwen2.5-1.5b': qwen2_5_1_5b,
  'qwen2.5-7b': qwen2_5_7b,
  'llama-3.1-8b': llama3_1_8b,
  'qwen3-0.6b': qwen3_0_6b,
  'qwen3-1.7b': qwen3_1_7b,
  'qwen3-4b': qwen3_4b,
  'qwen3-8b': qwen3_8b,
  'internlm2-1.8b': internlm2_1_8b,
};

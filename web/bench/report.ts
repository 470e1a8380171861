import type { GpuInfo, ModelInfo } from '../../src/index';
import type { Distribution } from './distribution';
import type { CellPlan } from './plan';

/** All that one run of the benchmark found out; written as JSON, so the names are a format. */
export interface BenchReport {
  readonly format: 'tabmind-bench-1';
  /** ISO date. */
  readonly date: string;
  /** Commit that the page was built from, '+' when files had changed since; '' when unknown. */
  readonly commit: string;
  readonly userAgent: string;
  /** Flags that the browser was started with; '' when unknown. */
  readonly browserFlags: string;
  readonly gpu: GpuInfo;
  readonly model: ModelInfo;
  readonly memory: MemoryFacts;
  readonly step: StepFacts;
  /** In the order of the loads: conversion, then the cache. */
  readonly loads: readonly LoadResult[];
  readonly cells: readonly CellResult[];
  /** Kernels of one decode step, the slowest first; empty when not asked for. */
  readonly kernels: readonly KernelResult[];
}

/** Bytes of GPU memory. */
export interface MemoryFacts {
  readonly weightBytes: number;
  readonly kvBytes: number;
  /** Activations and step state. */
  readonly scratchBytes: number;
}

/** What a decode step of one sequence costs. */
export interface StepFacts {
  readonly dispatches: number;
  readonly bindingsPerDispatch: number;
  readonly weightBytes: number;
  readonly kvBytesPerToken: number;
  /** Of a kernel that only reads: the roof. */
  readonly readBytesPerSecond: number;
}

export interface LoadResult {
  readonly from: 'checkpoint' | 'cache' | 'random';
  /** From the call to the loaded model. */
  readonly totalMs: number;
  /** Of these, until the weights lay in GPU memory. */
  readonly weightsMs: number;
  /** Bytes of the checkpoint that were converted, or of packed weights. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

export interface CellResult extends CellPlan {
  readonly requests: number;
  readonly wallMs: number;
  readonly inputTokensPerSecond: number;
  readonly outputTokensPerSecond: number;
  readonly requestsPerSecond: number;
  /** From the call of `generate` on the page to the first token there, ms. */
  readonly ttft: Distribution;
  /** Mean time per token after the first, one sample a request, ms. */
  readonly tpot: Distribution;
  /** Between neighbouring tokens, all of them, ms. */
  readonly itl: Distribution;
  /** To the last token, ms. */
  readonly e2e: Distribution;
  /** Median over the requests, as the engine's own clock in the worker has it. */
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** Weights and cached keys and values that a decode step moves for each of its tokens. */
  readonly bytesPerToken: number;
  /** Bytes of a step per mean TPOT, as a share of the roof. */
  readonly roofShare: number;
}

export interface KernelResult {
  readonly kernel: string;
  readonly launches: number;
  /** Of all launches together, each timed alone: more than they take back to back. */
  readonly microseconds: number;
}

import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import { preparesFor } from '../kernels/decode-attention';
import { gemm } from '../kernels/gemm';
import { isIntegerLinear } from '../kernels/gemm-integer';
import { gemmMatrix } from '../kernels/gemm-matrix';
import { gemv, MAX_GEMV_ROWS } from '../kernels/gemv';
import { gemvRows, usesGemvRows } from '../kernels/gemv-rows';
import type { PreparedOutput } from '../kernels/integer-rows';
import { type LinearCall, numOutputs } from '../kernels/linear-call';
import { permute } from '../kernels/permute';
import { orderName } from '../weights/packed-tensor';
import type { ForwardContext, Region } from './forward-context';
import { type IntegerNeighbours, integerLinear, preparedOutput } from './integer-linear';

/** Up to here gemv, four rows at a time, is faster than the tile kernel. */
const MAX_ROWS_IN_FOURS = 12;

/** Up to so many rows, gemv is faster than matrices of bytes. */
const MAX_ROWS_BEFORE_BYTES = 2;

/** Up to so many rows, matrices of bytes are faster than those of f16 as well. */
const MAX_BYTE_ROWS = 128;

export interface LinearLayer extends IntegerNeighbours {
  readonly weight: string;
  /** Used where the model has it. */
  readonly bias?: string;
  /** RMS norm of the input, fused. */
  readonly norm?: string;
  readonly in: Region;
  readonly out: Region;
  /** Added to the result; may be the output itself. */
  readonly residual?: Region;
  /** Multiplies the result before the residual is added; default 1. */
  readonly residualScale?: number;
  /** rows = gate ‖ up: out = act(gate) · up */
  readonly gate?: 'silu' | 'gelu_tanh';
  /** Multiplies W · x + bias; default 1. */
  readonly outScale?: number;
  /** After outScale: cap · tanh(y / cap); 0 (the default) = none. */
  readonly softcap?: number;
  /** First input row; default 0. */
  readonly firstRow?: number;
  /** Default: all rows of the step. */
  readonly numRows?: number;
}

/** out = W · norm(in) + bias (+ residual), whatever the weight is packed as and however many rows there are. */
export function linear(step: ForwardContext, layer: LinearLayer): void {
  const call = linearCall(step, layer);
  if (step.phases) step.phases.linear(call);
  else multiply(step, call, layer);
}

/** Where attention may leave what a linear takes, in integers; null: it takes floats. */
export function preparedFor(step: ForwardContext, layer: LinearLayer): PreparedOutput | null {
  if (step.phases || step.weights.find(orderName(layer.weight))) return null;
  const call = linearCall(step, layer);
  const isInteger = productKernel(step.gpu, call) === 'gemm_integer';
  return isInteger && preparesFor(step.kv, call) ? preparedOutput(step, call) : null;
}

function linearCall(step: ForwardContext, layer: LinearLayer): LinearCall {
  const weight = step.weights.get(layer.weight);
  const bias = layer.bias === undefined ? undefined : step.weights.find(layer.bias);
  const numRows = layer.numRows ?? step.numRows;
  const input = linearInput(step, layer, numRows);
  return {
    weight,
    numRows,
    inAt: input.at,
    inStride: input.stride,
    outAt: layer.out.at,
    outStride: layer.out.stride,
    ...(bias ? { bias } : {}),
    ...(input.norm ? { norm: input.norm } : {}),
    ...(layer.gate ? { gate: layer.gate } : {}),
    ...(layer.residual ? { residualAt: layer.residual.at } : {}),
    residualScale: layer.residualScale ?? 1,
    outScale: layer.outScale ?? 1,
    softcap: layer.softcap ?? 0,
  };
}

/** What multiplies the rows of a call. */
export type ProductKernel = 'gemv' | 'gemv_rows' | 'gemm' | 'gemm_matrix' | 'gemm_integer';

/** Many rows are worth the matrix units or a tile kernel, which dequantise once for all of them. */
export function productKernel(gpu: Gpu, call: LinearCall): ProductKernel {
  const { numRows } = call;
  if (usesGemvRows(gpu, call)) return 'gemv_rows';
  const inBytes = gpu.byteMatrices && isIntegerLinear(call);
  if (numRows <= (inBytes ? MAX_ROWS_BEFORE_BYTES : MAX_GEMV_ROWS)) return 'gemv';
  if (inBytes && (!gpu.matrices || numRows <= MAX_BYTE_ROWS)) return 'gemm_integer';
  if (gpu.matrices) return 'gemm_matrix';
  // In software, programs for more numbers of rows cost more to compile than they save.
  return numRows <= MAX_ROWS_IN_FOURS && !gpu.isSoftware ? 'gemv' : 'gemm';
}

function multiply(step: ForwardContext, call: LinearCall, neighbours: IntegerNeighbours): void {
  const kernel = productKernel(step.gpu, call);
  if (kernel === 'gemm_integer') integerLinear(step, call, neighbours);
  else step.push(dispatches(step, call, kernel), call.weight.slab);
}

function dispatches(
  { gpu, scratch }: ForwardContext,
  call: LinearCall,
  kernel: Exclude<ProductKernel, 'gemm_integer'>,
): readonly Dispatch[] {
  switch (kernel) {
    case 'gemv_rows':
      return gemvRows(gpu, call, scratch.staged.at);
    case 'gemv':
      return inFours(gpu, call);
    case 'gemm_matrix':
      return gemmMatrix(gpu, call, scratch.prepared.at);
    case 'gemm':
      return gemm(gpu, call);
  }
}

function inFours(gpu: Gpu, call: LinearCall): readonly Dispatch[] {
  const { numRows, inAt, outAt, residualAt, weight } = call;
  const inStride = call.inStride ?? weight.cols;
  const outStride = call.outStride ?? numOutputs(call);
  return Array.from({ length: Math.ceil(numRows / MAX_GEMV_ROWS) }, (_, part) => {
    const first = part * MAX_GEMV_ROWS;
    return gemv(gpu, {
      ...call,
      numRows: Math.min(MAX_GEMV_ROWS, numRows - first),
      inAt: inAt + first * inStride,
      outAt: outAt + first * outStride,
      ...(residualAt === undefined ? {} : { residualAt: residualAt + first * outStride }),
    });
  });
}

/** The rows to be multiplied. A weight with columns in an order of its own gets them gathered, and normed already. */
function linearInput(
  step: ForwardContext,
  layer: LinearLayer,
  numRows: number,
): Region & Pick<LinearCall, 'norm'> {
  const { gpu, weights, config, scratch } = step;
  const norm = layer.norm ? { norm: { weight: weights.get(layer.norm), eps: config.rmsNormEps } } : {};
  const at = layer.in.at + (layer.firstRow ?? 0) * layer.in.stride;
  const order = weights.find(orderName(layer.weight));
  if (!order) return { at, stride: layer.in.stride, ...norm };
  const { permuted } = scratch;
  const gather = permute(gpu, {
    numRows,
    inAt: at,
    inStride: layer.in.stride,
    outAt: permuted.at,
    outStride: permuted.stride,
    order,
    ...norm,
  });
  step.push([gather], order.slab);
  return permuted;
}

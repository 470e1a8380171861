import { gemm } from '../kernels/gemm';
import { gemv, MAX_GEMV_ROWS } from '../kernels/gemv';
import type { LinearCall } from '../kernels/linear-call';
import type { ForwardContext, Region } from './forward-context';

export interface LinearLayer {
  readonly weight: string;
  /** Used where the model has it. */
  readonly bias?: string;
  /** RMS norm of the input, fused. */
  readonly norm?: string;
  readonly in: Region;
  readonly out: Region;
  /** Added to the result; may be the output itself. */
  readonly residual?: Region;
  /** rows = gate ‖ up: out = act(gate) · up */
  readonly gate?: 'silu' | 'gelu_tanh';
  /** First input row; default 0. */
  readonly firstRow?: number;
  /** Default: all rows of the step. */
  readonly numRows?: number;
}

/** out = W · norm(in) + bias (+ residual), whatever the weight is packed as and however many rows there are. */
export function linear(step: ForwardContext, layer: LinearLayer): void {
  const weight = step.weights.get(layer.weight);
  const bias = layer.bias === undefined ? undefined : step.weights.find(layer.bias);
  const numRows = layer.numRows ?? step.numRows;
  const call: LinearCall = {
    weight,
    numRows,
    inAt: layer.in.at + (layer.firstRow ?? 0) * layer.in.stride,
    inStride: layer.in.stride,
    outAt: layer.out.at,
    outStride: layer.out.stride,
    ...(bias ? { bias } : {}),
    ...(layer.norm ? { norm: { weight: step.weights.get(layer.norm), eps: step.config.rmsNormEps } } : {}),
    ...(layer.gate ? { gate: layer.gate } : {}),
    ...(layer.residual ? { residualAt: layer.residual.at } : {}),
  };
  // More rows are worth a tile kernel, which dequantises once for all of them.
  step.push(numRows <= MAX_GEMV_ROWS ? [gemv(step.gpu, call)] : gemm(step.gpu, call), weight.slab);
}

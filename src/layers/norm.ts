import { rmsNorm } from '../kernels/rms-norm';
import type { ForwardContext, Region } from './forward-context';

/** to += scale · norm(from), over rows of hiddenSize. */
export function addNormed(step: ForwardContext, name: string, from: Region, to: Region, scale: number): void {
  const weight = step.weights.get(name);
  const call = {
    numRows: step.numRows,
    cols: step.config.hiddenSize,
    inAt: from.at,
    inStride: from.stride,
    outAt: to.at,
    outStride: to.stride,
    weight,
    eps: step.config.rmsNormEps,
    residualAt: to.at,
    residualScale: scale,
  };
  step.push([rmsNorm(step.gpu, call)], weight.slab);
}

/** rows = norm(rows), over their first `cols` floats. */
export function rmsNormInPlace(step: ForwardContext, name: string, rows: Region, cols: number): void {
  const weight = step.weights.get(name);
  const call = {
    numRows: step.numRows,
    cols,
    inAt: rows.at,
    inStride: rows.stride,
    outAt: rows.at,
    outStride: rows.stride,
    weight,
    eps: step.config.rmsNormEps,
  };
  step.push([rmsNorm(step.gpu, call)], weight.slab);
}

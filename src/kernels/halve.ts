import source from '../../shaders/halve.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { LinearCall } from './linear-call';
import { preparation, prepareRows } from './prepared-rows';

const PROGRAM = preparation('halve', source);

/** Floats of scratch that a row of `cols` activations takes in halves. */
export function halvesFloats(cols: number): number {
  return (Math.ceil(cols / 32) * 32) / 2;
}

/** The activations of a linear, normed where it asks for that, as f16 [numRows][paddedCols] at float `outAt` of scratch. */
export function halve(gpu: Gpu, call: LinearCall, outAt: number): Dispatch {
  const { cols, paddedCols } = call.weight;
  return prepareRows(gpu, PROGRAM, call, outAt, () => ({ K_TAIL: cols !== paddedCols }));
}

import source from '../../shaders/stream_read.wgsl?raw';
import type { Gpu } from '../gpu/device';
import { type Dispatch, MAX_WORKGROUPS, workgroupGrid } from '../gpu/dispatch';
import type { BindingKind, ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';

const PARAMS = { num_fours: 'u32' } as const;

/** 0 what is read, 1 the sum. */
export const STREAM_READ_BINDINGS: readonly BindingKind[] = ['read', 'write'];

const PROGRAM: ShaderProgram = {
  name: 'stream_read',
  source,
  params: PARAMS,
  bindings: STREAM_READ_BINDINGS,
};

const WORKGROUP_SIZE = 256;
const FOURS_A_THREAD = 8;

/** Reads `sizeBytes` (a multiple of 16) once and adds all words to the sum. */
export function streamRead(gpu: Gpu, sizeBytes: number): Dispatch {
  const numFours = sizeBytes / 16;
  const workgroups = Math.ceil(numFours / (WORKGROUP_SIZE * FOURS_A_THREAD));
  return {
    pipeline: gpu.pipelines.request(PROGRAM, {
      WG_SIZE: WORKGROUP_SIZE,
      FOURS_A_THREAD,
      GRID_WIDTH: MAX_WORKGROUPS,
    }),
    params: packParams(PARAMS, { num_fours: numFours }),
    workgroups: workgroupGrid(workgroups),
  };
}

import { readBuffer } from './buffer';

/** Loads, multiplies and stores as gemm_matrix does, views of workgroup memory included. */
const PROBE = `enable f16;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
var<workgroup> memory: buffer<1024>;
var<workgroup> result: array<f32, 256>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) index: u32) {
  let words = bufferView<array<vec4<u32>>>(&memory, 0);
  let halves = bufferView<array<f16>>(&memory, 0);
  words[index] = vec4<u32>(0x3c003c00u);
  words[index + 32u] = vec4<u32>(0x40004000u);
  workgroupBarrier();
  let left = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(halves, 0, 16);
  let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(halves, 256, 16);
  var sum: subgroup_matrix_result<f32, 16, 16>;
  sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
  subgroupMatrixStore<row_major>(&result, 0, sum, 16);
  workgroupBarrier();
  for (var i = index; i < 256u; i += 32u) {
    out[i] = result[i];
  }
}`;
/** Sixteen products of 1 and 2. */
const EXPECTED = 32;
/** Loads, multiplies, shifts and stores as gemm_integer does. */
const BYTE_PROBE = `enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
var<workgroup> memory: buffer<4096>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) index: u32) {
  let words = bufferView<array<u32>>(&memory, 0);
  let bytes = bufferView<array<i32, 512>>(&memory, 0);
  let sums = bufferView<array<i32, 512>>(&memory, 2048);
  for (var i = index; i < 256u; i += 32u) {
    // Columns of 1 and of -1, behind a column that does not count.
    words[i] = select(0x01010101u, 0x7f7f7f7fu, i % 16u < 8u);
    words[i + 256u] = select(0xffffffffu, 0x7f7f7f7fu, i % 16u < 8u);
  }
  workgroupBarrier();
  let left = subgroupMatrixLoad<subgroup_matrix_left<i8, 32, 16>, row_major>(bytes, 8u, 16u);
  let right = subgroupMatrixLoad<subgroup_matrix_right<i8, 16, 32>, col_major>(bytes, 264u, 16u);
  workgroupBarrier();
  var sum = subgroup_matrix_result<i32, 16, 16>();
  sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
  sum = subgroupMatrixScalarMultiply(sum, 256i);
  sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
  subgroupMatrixStore<col_major>(sums, 0, sum, 20);
  workgroupBarrier();
  for (var i = index; i < 256u; i += 32u) {
    out[i] = f32(sums[i / 16u * 20u + i % 16u]);
  }
}`;
/** 257 times 32 products of 1 and -1. */
const EXPECTED_BYTES = -257 * 32;
/** Workgroup memory of the largest tiles of gemm_matrix and gemm_integer. */
const MIN_WORKGROUP_BYTES = 48 * 1024;
/** Threads of the largest workgroup of gemm_integer. */
const MIN_BYTE_THREADS = 512;

/** Whether the device multiplies f16 matrices of a subgroup: asked for, compiled, and seen to give the right numbers. */
export async function hasMatrices(device: GPUDevice): Promise<boolean> {
  return device.features.has('shader-f16') && (await gives(device, PROBE, EXPECTED));
}

/** Whether it multiplies matrices of bytes, likewise. */
export async function hasByteMatrices(device: GPUDevice): Promise<boolean> {
  const { maxComputeInvocationsPerWorkgroup } = device.limits;
  return (
    maxComputeInvocationsPerWorkgroup >= MIN_BYTE_THREADS && (await gives(device, BYTE_PROBE, EXPECTED_BYTES))
  );
}

async function gives(device: GPUDevice, code: string, expected: number): Promise<boolean> {
  if (!device.features.has('chromium-experimental-subgroup-matrix')) return false;
  if (device.limits.maxComputeWorkgroupStorageSize < MIN_WORKGROUP_BYTES) return false;
  device.pushErrorScope('validation');
  const result = await multiply(device, code).catch(() => null);
  const error = await device.popErrorScope();
  return error === null && result !== null && result.every((value) => value === expected);
}

async function multiply(device: GPUDevice, code: string): Promise<Float32Array> {
  const module = device.createShaderModule({ label: 'matrix probe', code });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const out = device.createBuffer({ label: 'matrix probe', size: 1024, usage });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: out } }],
    }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const values = new Float32Array(await readBuffer(device, out));
  out.destroy();
  return values;
}

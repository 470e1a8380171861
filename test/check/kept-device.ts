/**
 * In the worker before the engine: on a software adapter, which takes seconds to compile what one model needs, all loads get
 * one device, and it compiles each program once. A real GPU opens a device for each load, as for a person.
 */

const requestDevice = GPUAdapter.prototype.requestDevice;
let kept: Promise<GPUDevice> | null = null;

GPUAdapter.prototype.requestDevice = function (descriptor) {
  if (!this.info.isFallbackAdapter) return requestDevice.call(this, descriptor);
  kept ??= requestDevice.call(this, descriptor).then(keep);
  return kept;
};

function keep(device: GPUDevice): GPUDevice {
  const createModule = device.createShaderModule.bind(device);
  const createPipeline = device.createComputePipelineAsync.bind(device);
  const codes = new WeakMap<GPUShaderModule, string>();
  const pipelines = new Map<string, Promise<GPUComputePipeline>>();
  device.createShaderModule = (descriptor) => {
    const module = createModule(descriptor);
    codes.set(module, descriptor.code);
    return module;
  };
  // Equal code has equal bindings, and so an equal layout.
  device.createComputePipelineAsync = (descriptor) => {
    const code = codes.get(descriptor.compute.module) ?? '';
    const pipeline = pipelines.get(code) ?? createPipeline(descriptor);
    pipelines.set(code, pipeline);
    return pipeline;
  };
  device.destroy = () => undefined;
  return device;
}

export { buildImage, vmUnsupported, type ImageOptions, type VmImage } from './image.ts';
export { bootVm, type Vm, type VmOptions } from './machine.ts';

/** The pods that an object stands for. */
import type { KubeObject } from '../../../contracts/objects/index.ts';
import type { PodTemplate } from '../manifests/pod-templates.ts';
import { descriptorOf } from './index.ts';

/** The pod that an object is or makes, or undefined. */
export function podTemplateOf(object: KubeObject): PodTemplate | undefined {
  const { podTemplate } = descriptorOf(object.kind);
  if (podTemplate === 'none') return undefined;
  const { metadata, spec } = podTemplate.of(object);
  return {
    spec,
    path: [...podTemplate.path, 'spec'],
    labels: metadata.labels ?? {},
    ...(metadata.annotations && { annotations: metadata.annotations }),
    ...(podTemplate.addedVolumes && { addedVolumes: podTemplate.addedVolumes(object) }),
  };
}

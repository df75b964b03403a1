/** Facets of kinds that make pods from `spec.template`. */
import type { PodTemplateSpec } from '../../../contracts/objects/index.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import type { Reference } from './descriptor.ts';

interface Templated {
  readonly spec: { readonly template: PodTemplateSpec };
}

export const TEMPLATE = {
  path: ['spec', 'template'],
  of: ({ spec }: Templated): PodTemplateSpec => spec.template,
};

export const referencesOfTemplate = {
  of: ({ spec: { template } }: Templated): readonly Reference[] =>
    podReferences(template.spec).map((reference) => ({
      ...reference,
      path: [...TEMPLATE.path, 'spec', ...reference.path],
    })),
};

/** Ingress: its annotations, and regular expressions that they make of its paths. */
import { INGRESS_CLASS_ANNOTATION, type Ingress } from '../../../../contracts/objects/index.ts';
import { ingressOptions } from '../../gateway/ingress-annotations.ts';
import type { CheckContext } from './context.ts';

export function checkIngress(ingress: Ingress, { error, warning }: CheckContext): void {
  const { metadata, spec } = ingress;
  const { options, problems } = ingressOptions(ingress);
  for (const { key, message, is } of problems) {
    const path = ['metadata', 'annotations', key];
    if (is === 'refused') error('InvalidValue', path, message);
    else warning('AnnotationIgnored', path, message);
  }
  const written = metadata.annotations?.[INGRESS_CLASS_ANNOTATION];
  if (written !== undefined && spec.ingressClassName !== undefined && written !== spec.ingressClassName)
    error(
      'InvalidValue',
      ['metadata', 'annotations', INGRESS_CLASS_ANNOTATION],
      'must be the same as spec.ingressClassName where both are there',
      'remove the annotation',
    );
  if (!options.useRegex && options.rewriteTarget === undefined) return;
  spec.rules.forEach(({ http }, r) => {
    http?.paths.forEach(({ path, pathType }, p) => {
      if (pathType === 'ImplementationSpecific' && !isRegex(path))
        error('InvalidValue', ['spec', 'rules', r, 'http', 'paths', p, 'path'], 'must be a regular expression');
    });
  });
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

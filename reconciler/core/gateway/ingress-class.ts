/** Of which class an Ingress is, and whether that is served here. Source: Kubernetes API reference, IngressClass. */
import {
  DEFAULT_INGRESS_CLASS,
  INGRESS_CLASS_ANNOTATION,
  INGRESS_CONTROLLER,
  type Ingress,
  type IngressClass,
} from '../../../contracts/objects/index.ts';

/** There is a class of this name without an object, for Ingresses and for Gateways. */
export const OWN_CLASS = 'plumbline';

/** The class that an Ingress names itself; the field comes before the annotation. */
export function writtenClass({ spec, metadata }: Ingress): string | undefined {
  return spec.ingressClassName ?? metadata.annotations?.[INGRESS_CLASS_ANNOTATION];
}

/**
 * The name of its class. One that names none is of the class that is marked as the default, the newest of several as in
 * Kubernetes; where there is none, of ours, as nobody else would serve it.
 */
export function classOf(ingress: Ingress, classes: readonly IngressClass[]): string {
  return writtenClass(ingress) ?? defaultClass(classes)?.metadata.name ?? OWN_CLASS;
}

/** Whether it is served here. */
export function isServed(ingress: Ingress, classes: readonly IngressClass[]): boolean {
  const name = classOf(ingress, classes);
  const named = classes.find(({ metadata }) => metadata.name === name);
  return named ? named.spec.controller === INGRESS_CONTROLLER : name === OWN_CLASS;
}

function defaultClass(classes: readonly IngressClass[]): IngressClass | undefined {
  return classes
    .filter(({ metadata }) => metadata.annotations?.[DEFAULT_INGRESS_CLASS] === 'true')
    .toSorted(
      (a, b) =>
        (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
        a.metadata.name.localeCompare(b.metadata.name),
    )[0];
}

/** Ingresses and Gateways of classes that nobody here serves: they are kept, and whoever wrote them is told. */
import {
  GATEWAY_CONTROLLER,
  INGRESS_CLASS_ANNOTATION,
  INGRESS_CONTROLLER,
  objectKey,
  type Gateway,
  type GatewayClass,
  type Ingress,
  type IngressClass,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { classOf, isServed, writtenClass } from '../gateway/ingress-class.ts';
import { isServedHere } from '../gateway/listeners.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState } from './types.ts';

/** `declared` has the classes also whose manifests are refused: of what these say nothing is known. */
export function checkClasses(state: DesiredState, declared: ReadonlySet<ObjectKey>, tell: Tell): void {
  const objects = [...state.values()].map(({ object }) => object);
  const ingressClasses = objects.filter((object): object is IngressClass => object.kind === 'IngressClass');
  const gatewayClasses = objects.filter((object): object is GatewayClass => object.kind === 'GatewayClass');
  for (const desired of state.values()) {
    const { object } = desired;
    if (object.kind === 'Ingress') {
      if (!isServed(object, ingressClasses)) tellOfIngress(desired, object, ingressClasses, declared, tell);
    } else if (object.kind === 'Gateway' && !isServedHere(object, gatewayClasses))
      tellOfGateway(desired, object, gatewayClasses, declared, tell);
  }
}

function tellOfIngress(
  desired: DesiredObject,
  ingress: Ingress,
  classes: readonly IngressClass[],
  declared: ReadonlySet<ObjectKey>,
  tell: Tell,
): void {
  const name = classOf(ingress, classes);
  const named = classes.find(({ metadata }) => metadata.name === name);
  if (!named && declared.has(objectKey('IngressClass', undefined, name))) return;
  const isWritten = writtenClass(ingress) !== undefined;
  const at =
    ingress.spec.ingressClassName !== undefined || !isWritten
      ? positionOf(desired, 'spec', 'ingressClassName')
      : positionOf(desired, 'metadata', 'annotations', INGRESS_CLASS_ANNOTATION);
  tell(
    'warning',
    'NotActedOn',
    at,
    named
      ? `nobody here serves this Ingress: its ${isWritten ? '' : 'default '}class ${name} is of the controller ${named.spec.controller}`
      : `nobody here serves this Ingress: its class ${name} is in no manifest`,
    named
      ? `write spec.controller: ${INGRESS_CONTROLLER} in the IngressClass, or ingressClassName: plumbline here`
      : `write ingressClassName: plumbline, or add an IngressClass of this name with spec.controller: ${INGRESS_CONTROLLER}`,
  );
}

function tellOfGateway(
  desired: DesiredObject,
  { spec: { gatewayClassName } }: Gateway,
  classes: readonly GatewayClass[],
  declared: ReadonlySet<ObjectKey>,
  tell: Tell,
): void {
  const named = classes.find(({ metadata }) => metadata.name === gatewayClassName);
  if (!named && declared.has(objectKey('GatewayClass', undefined, gatewayClassName))) return;
  const isOurs = named?.spec.controllerName === GATEWAY_CONTROLLER;
  const [why, hint] = !named
    ? [
        'is in no manifest',
        `write gatewayClassName: plumbline, or add a GatewayClass of this name with spec.controllerName: ${GATEWAY_CONTROLLER}`,
      ]
    : isOurs
      ? ['has parameters, which are not read here', 'remove spec.parametersRef of the GatewayClass']
      : [
          `is of the controller ${named.spec.controllerName}`,
          `write spec.controllerName: ${GATEWAY_CONTROLLER} in the GatewayClass, or gatewayClassName: plumbline here`,
        ];
  tell(
    'warning',
    'NotActedOn',
    positionOf(desired, 'spec', 'gatewayClassName'),
    `nobody here serves this Gateway: its class ${gatewayClassName} ${why}`,
    hint,
  );
}

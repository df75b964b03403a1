/** Whether an object may name one of another namespace. Source: Gateway API, ReferenceGrant. */
import { GATEWAY_GROUP, type ReferenceGrant } from '../../../contracts/objects/index.ts';

export interface Referrer {
  readonly kind: 'Gateway' | 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute';
  readonly namespace: string;
}
interface Referent {
  readonly kind: 'Secret' | 'Service';
  readonly namespace: string;
  readonly name: string;
}

export function isGranted(from: Referrer, to: Referent, grants: readonly ReferenceGrant[]): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    ({ metadata, spec }) =>
      metadata.namespace === to.namespace &&
      spec.from.some(
        (one) => one.group === GATEWAY_GROUP && one.kind === from.kind && one.namespace === from.namespace,
      ) &&
      spec.to.some(
        (one) => one.group === '' && one.kind === to.kind && (one.name === undefined || one.name === to.name),
      ),
  );
}

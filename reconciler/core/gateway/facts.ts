/**
 * What of an object a plan of the Gateways can depend on, as one text: as long as that is the same, so is the plan. '' is
 * what an object that is not there has.
 */
import type {
  Stored,
  StoredConfigMap,
  StoredNamespace,
  StoredNode,
  StoredSecret,
  StoredService,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { certificateProblem } from './certificates.ts';
import { gatewayNodes } from './nodes.ts';

/** Of a Gateway, class, route, grant, Ingress or ProxyConfig, all of which a plan reads. */
export function wholeFact(object: Stored | undefined): string {
  if (!object) return '';
  const { uid, generation, annotations = {} } = object.metadata;
  return canonicalJson([uid, generation, annotations, 'status' in object ? object.status : undefined]);
}

/** But for its node ports: see {@link heldPortsFact}. */
export function serviceFact(service: StoredService | undefined): string {
  if (!service) return '';
  const { type, ports } = service.spec;
  return canonicalJson([
    type === 'ExternalName',
    ports.map(({ name, port, protocol, appProtocol }) => [name, port, protocol, appProtocol]),
  ]);
}

export function secretFact(secret: StoredSecret | undefined): string {
  return secret ? `is there: ${certificateProblem(secret) ?? ''}` : '';
}

export function configMapFact(configMap: StoredConfigMap | undefined): string {
  return canonicalJson(configMap?.data?.['ca.crt'] ?? null);
}

export function namespaceFact(namespace: StoredNamespace | undefined): string {
  return namespace ? canonicalJson(namespace.metadata.labels ?? {}) : '';
}

/** '' too for one that is no gateway. */
export function nodeFact(node: StoredNode | undefined, selector: Readonly<Record<string, string>> | undefined): string {
  const [found] = node ? gatewayNodes([node], selector, () => undefined) : [];
  return found ? canonicalJson(found) : '';
}

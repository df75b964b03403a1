/**
 * After a loss: what the proxies of gateway nodes do, from the Gateways, routes and Ingresses of the commit in force, so that
 * no node takes for gone what it serves before the first sync. Secrets come with that: until then those that are named count
 * as there, and a node goes on with those that it has.
 */
import {
  objectKey,
  type ClusterSpec,
  type Kind,
  type Machine,
  type Node,
  type ProxyConfig,
  type Service,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { authoritiesOf } from '../gateway/certificates.ts';
import { gatewayNodes } from '../gateway/nodes.ts';
import { planGateways } from '../gateway/plan.ts';
import { takenPorts } from '../gateway/taken-ports.ts';
import type { DesiredState } from '../manifests/types.ts';
import { made, type Filling } from './made-anew.ts';

interface Rebuilt extends Filling {
  readonly applied: DesiredState;
  readonly settings: ClusterSpec;
  readonly machines: readonly Machine[];
  readonly nodes: readonly Node[];
  readonly services: readonly Stored<Service>[];
}

export function recoverProxies({
  applied,
  settings,
  machines,
  nodes,
  services,
  ...filling
}: Rebuilt): readonly ProxyConfig[] {
  const all = [...applied.values()].map(({ object }) => object);
  const of = <K extends Kind>(kind: K): readonly StoredOf<K>[] =>
    all.flatMap((object) => (object.kind === kind ? [made(object, filling) as Stored as StoredOf<K>] : []));
  const [gateways, ingresses] = [of('Gateway'), of('Ingress')];
  if (gateways.length + ingresses.length === 0) return [];
  const labels = new Map(machines.map(({ metadata, spec }) => [metadata.name, spec.labels]));
  const labelled = nodes.map((node) => ({
    ...node,
    metadata: { ...node.metadata, labels: labels.get(node.metadata.name) },
  }));
  const byName = new Map(
    services.map((service) => [objectKey('Service', service.metadata.namespace, service.metadata.name), service]),
  );
  const steps = planGateways({
    classes: of('GatewayClass'),
    gateways,
    httpRoutes: of('HTTPRoute'),
    grpcRoutes: of('GRPCRoute'),
    tlsRoutes: of('TLSRoute'),
    tcpRoutes: of('TCPRoute'),
    grants: of('ReferenceGrant'),
    backendTlsPolicies: of('BackendTLSPolicy'),
    ingresses,
    ingressClasses: of('IngressClass'),
    challenges: [],
    nodes: gatewayNodes(
      labelled.map((node) => made(node, filling)),
      settings.gateway.nodeSelector,
      () => undefined,
    ),
    takenPorts: takenPorts(machines, services),
    ingressPorts: { http: settings.gateway.ingress.httpPort, https: settings.gateway.ingress.httpsPort },
    service: (namespace, name) => byName.get(objectKey('Service', namespace, name)),
    hasSecret: () => true,
    certificateProblem: () => undefined,
    caCertificates: (namespace, name) => {
      const found = applied.get(objectKey('ConfigMap', namespace, name))?.object;
      return authoritiesOf(found?.kind === 'ConfigMap' ? found : undefined);
    },
    namespaceLabels: (name) => applied.get(objectKey('Namespace', undefined, name))?.object.metadata.labels ?? {},
    configs: [],
    now: filling.now,
  });
  return steps.flatMap((step) => (step.do === 'create' && step.object.kind === 'ProxyConfig' ? [step.object] : []));
}

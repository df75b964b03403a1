/** What is looked at when the configuration of the proxies is made. */
import type { ReadPem } from '../../../contracts/certificates.ts';
import type {
  Node,
  ReferenceGrant,
  StoredBackendTLSPolicy,
  StoredChallenge,
  StoredGateway,
  StoredGatewayClass,
  StoredGRPCRoute,
  StoredHTTPRoute,
  StoredIngress,
  StoredIngressClass,
  StoredRoute,
  StoredService,
  StoredTCPRoute,
  StoredTLSRoute,
} from '../../../contracts/objects/index.ts';

export interface GatewayWorld {
  readonly classes: readonly StoredGatewayClass[];
  readonly gateways: readonly StoredGateway[];
  readonly httpRoutes: readonly StoredHTTPRoute[];
  readonly grpcRoutes: readonly StoredGRPCRoute[];
  readonly tlsRoutes: readonly StoredTLSRoute[];
  readonly tcpRoutes: readonly StoredTCPRoute[];
  readonly grants: readonly ReferenceGrant[];
  readonly backendTlsPolicies: readonly StoredBackendTLSPolicy[];
  readonly ingresses: readonly StoredIngress[];
  readonly ingressClasses: readonly StoredIngressClass[];
  /** Of ACME, that the proxies are to answer. */
  readonly challenges: readonly StoredChallenge[];
  /** Those that serve: see nodes.ts. In order of their names. */
  readonly nodes: readonly GatewayNode[];
  /** Ports that are somebody else's on the machines, and what has them. */
  readonly takenPorts: ReadonlyMap<number, string>;
  /** Ports of Ingresses. */
  readonly ingressPorts: { readonly http: number; readonly https: number };
  service(namespace: string, name: string): StoredService | undefined;
  hasSecret(namespace: string, name: string): boolean;
  /** What keeps a Secret from being a certificate that can be served; undefined where nothing does. */
  certificateProblem(namespace: string, name: string): string | undefined;
  /** What a ConfigMap has in `ca.crt`. */
  caCertificates(namespace: string, name: string): ReadPem;
  namespaceLabels(name: string): Readonly<Record<string, string>>;
}

export interface GatewayNode {
  readonly name: string;
  readonly address: string;
  /** Whether people are sent there. */
  readonly isPublished: boolean;
  /** What its proxy says of itself; undefined before it said anything. */
  readonly proxy: NonNullable<Node['status']>['proxy'];
  /** Generation of its ProxyConfig that is in the store; undefined where there is none. */
  readonly generation: number | undefined;
}

/** `namespace/name`. */
export function nameOf({
  metadata,
}: {
  readonly metadata: { readonly namespace?: string | undefined; readonly name: string };
}): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** The older first, then by namespace and name. Source: Gateway API, on conflicts. */
export function byAge(
  a: StoredRoute | StoredGateway | StoredIngress | StoredBackendTLSPolicy,
  b: StoredRoute | StoredGateway | StoredIngress | StoredBackendTLSPolicy,
): number {
  return compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) || compare(nameOf(a), nameOf(b));
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

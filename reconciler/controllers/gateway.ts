/**
 * Gateways, their routes and Ingresses: gives each gateway node its ProxyConfig, and tells of each object how it is. They
 * share the machines' ports, so that one pass looks at all of them; it has the key of the first of them. There is a pass
 * only where something has changed that the last one saw: most changes of Services, Secrets and Nodes are none of it.
 */
import type { ReadPem } from '../../contracts/certificates.ts';
import {
  keyOf,
  objectKey,
  type ClusterSpec,
  type Kind,
  type ObjectKey,
  type Stored,
  type StoredNode,
  type StoredService,
} from '../../contracts/objects/index.ts';
import { authoritiesOf, certificateProblem } from '../core/gateway/certificates.ts';
import { answeredByProxies } from '../core/gateway/challenges.ts';
import { configMapFact, namespaceFact, nodeFact, secretFact, serviceFact, wholeFact } from '../core/gateway/facts.ts';
import { gatewayNodes } from '../core/gateway/nodes.ts';
import { planGateways } from '../core/gateway/plan.ts';
import { heldPorts, takenPorts } from '../core/gateway/taken-ports.ts';
import type { Decision } from '../core/step.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/** Those that a pass may have the key of, in the order in which one is looked for. */
const KINDS = ['Gateway', 'Ingress', 'ProxyConfig', 'GatewayClass', 'Challenge'] as const;
/** Of which a pass reads all that there are. */
const WHOLE = [
  'GatewayClass',
  'Gateway',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'TCPRoute',
  'ReferenceGrant',
  'BackendTLSPolicy',
  'Ingress',
  'IngressClass',
  'Challenge',
  'ProxyConfig',
] as const satisfies readonly Kind[];

/** None where there is nothing to do. */
function work(view: StoreView): readonly ObjectKey[] {
  for (const kind of KINDS) {
    const [first] = view.list(kind);
    if (first) return [keyOf(first)];
  }
  return [];
}

/** What one pass saw. */
class Seen {
  readonly #view: StoreView;
  readonly gateway: ClusterSpec['gateway'];
  readonly facts = new Map<ObjectKey, string>();
  /** Ports of the proxies, and of Services those node ports among them. */
  readonly #ports: ReadonlySet<number>;
  readonly #held = new Map<ObjectKey, string>();

  constructor(view: StoreView) {
    this.#view = view;
    this.gateway = clusterSettings(view).gateway;
    const { httpPort, httpsPort } = this.gateway.ingress;
    const listeners = view.list('Gateway').flatMap(({ spec }) => spec.listeners.map(({ port }) => port));
    this.#ports = new Set([httpPort, httpsPort, ...listeners]);
    for (const kind of WHOLE) for (const one of view.list(kind)) this.facts.set(keyOf(one), wholeFact(one));
  }

  services(): readonly StoredService[] {
    return this.#view.list('Service').filter((service) => {
      const ports = this.#heldBy(service);
      if (ports !== '') this.#held.set(keyOf(service), ports);
      return ports !== '';
    });
  }

  #heldBy(service: StoredService): string {
    return heldPorts(service)
      .filter((port) => this.#ports.has(port))
      .join();
  }

  service(namespace: string, name: string): StoredService | undefined {
    const key = objectKey('Service', namespace, name);
    const service = this.#view.get(key);
    this.facts.set(key, serviceFact(service));
    return service;
  }

  secret(namespace: string, name: string) {
    const key = objectKey('Secret', namespace, name);
    const secret = this.#view.get(key);
    this.facts.set(key, secretFact(secret));
    return secret;
  }

  caCertificates(namespace: string, name: string): ReadPem {
    const key = objectKey('ConfigMap', namespace, name);
    const configMap = this.#view.get(key);
    this.facts.set(key, configMapFact(configMap));
    return authoritiesOf(configMap);
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> {
    const key = objectKey('Namespace', undefined, name);
    const namespace = this.#view.get(key);
    this.facts.set(key, namespaceFact(namespace));
    return namespace?.metadata.labels ?? {};
  }

  /** Of machines that there are. */
  nodes(): readonly StoredNode[] {
    return this.#view.list('Node').filter((node) => {
      const fact = this.#nodeFact(node.metadata.name);
      this.facts.set(keyOf(node), fact);
      return fact !== '';
    });
  }

  #nodeFact(name: string): string {
    if (!this.#view.get(objectKey('Machine', undefined, name))) return '';
    return nodeFact(this.#view.get(objectKey('Node', undefined, name)), this.gateway.nodeSelector);
  }

  /** A pass finds what it has written itself as it left it. */
  expect({ steps }: Decision): void {
    for (const step of steps)
      if (step.do === 'updateStatus') this.facts.set(keyOf(step.object), wholeFact(step.object));
  }

  /** Whether a pass over what is there of the object now would find it as this one did. */
  isSame(object: Stored): boolean {
    const key = keyOf(object);
    const view = this.#view;
    const known = this.facts.get(key);
    switch (object.kind) {
      case 'Service': {
        const now = view.get(objectKey('Service', object.metadata.namespace, object.metadata.name));
        if ((now ? this.#heldBy(now) : '') !== (this.#held.get(key) ?? '')) return false;
        return known === undefined || known === serviceFact(now);
      }
      case 'Secret':
        return known === undefined || known === secretFact(view.get(keyOf(object)));
      case 'ConfigMap':
        return known === undefined || known === configMapFact(view.get(keyOf(object)));
      case 'Namespace':
        return known === undefined || known === namespaceFact(view.get(keyOf(object)));
      case 'Node':
        return (known ?? '') === this.#nodeFact(object.metadata.name);
      default:
        return (known ?? '') === wholeFact(view.get(keyOf(object)));
    }
  }
}

function decide(seen: Seen, { view, now }: PassContext): Decision {
  const { gateway } = seen;
  const steps = planGateways({
    classes: view.list('GatewayClass'),
    gateways: view.list('Gateway'),
    httpRoutes: view.list('HTTPRoute'),
    grpcRoutes: view.list('GRPCRoute'),
    tlsRoutes: view.list('TLSRoute'),
    tcpRoutes: view.list('TCPRoute'),
    grants: view.list('ReferenceGrant'),
    backendTlsPolicies: view.list('BackendTLSPolicy'),
    ingresses: view.list('Ingress'),
    ingressClasses: view.list('IngressClass'),
    challenges: answeredByProxies(view.list('Challenge')),
    nodes: gatewayNodes(seen.nodes(), gateway.nodeSelector, (node) =>
      view.get(objectKey('ProxyConfig', undefined, node)),
    ),
    takenPorts: takenPorts(view.list('Machine'), seen.services()),
    ingressPorts: { http: gateway.ingress.httpPort, https: gateway.ingress.httpsPort },
    service: (namespace, name) => seen.service(namespace, name),
    hasSecret: (namespace, name) => seen.secret(namespace, name) !== undefined,
    certificateProblem: (namespace, name) => certificateProblem(seen.secret(namespace, name)),
    caCertificates: (namespace, name) => seen.caCertificates(namespace, name),
    namespaceLabels: (name) => seen.namespaceLabels(name),
    configs: view.list('ProxyConfig'),
    now,
  });
  return { steps };
}

const always = (_object: unknown, view: StoreView): readonly ObjectKey[] => work(view);

export function createGatewayController(): Controller {
  let last: { readonly view: StoreView; readonly seen: Seen } | undefined;

  const changed = (object: Stored, view: StoreView): readonly ObjectKey[] =>
    last?.view === view && last.seen.isSame(object) ? [] : work(view);

  return {
    name: 'gateway-controller',
    kind: KINDS,
    concerns: (object, previous, view) =>
      work(view).includes(keyOf(object)) && (previous === undefined || changed(object, view).length > 0),
    // Nothing hangs on a Gateway or Ingress that would tell of its end.
    worksOnGone: true,
    watches: {
      ...Object.fromEntries(WHOLE.map((kind) => [kind, changed])),
      Service: changed,
      Secret: changed,
      ConfigMap: changed,
      Namespace: changed,
      Node: changed,
      Machine: always,
      Cluster: always,
    },
    decide(_key, context) {
      last = undefined;
      const seen = new Seen(context.view);
      const decision = decide(seen, context);
      seen.expect(decision);
      last = { view: context.view, seen };
      return decision;
    },
  };
}

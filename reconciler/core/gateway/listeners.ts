/**
 * Listeners of all Gateways, which share the machines' ports: what each takes, and why it does not where it does not.
 * Source: Gateway API, apis/v1/gateway_types.go ("Distinct Listeners", and the reasons of listeners' conditions).
 */
import {
  GATEWAY_CONTROLLER,
  GATEWAY_GROUP,
  type Gateway,
  type GatewayClass,
  type Listener,
  type RouteKind,
  type SecretName,
  type StoredGateway,
} from '../../../contracts/objects/index.ts';
import { isGranted } from './grants.ts';
import { covers } from './hostnames.ts';
import { OWN_CLASS } from './ingress-class.ts';
import { byAge, nameOf, type GatewayNode, type GatewayWorld } from './world.ts';

export interface Problem {
  readonly reason: string;
  readonly message: string;
}

export interface JudgedListener {
  readonly gateway: StoredGateway;
  readonly listener: Listener;
  /** Kinds of routes that it takes. */
  readonly kinds: readonly RouteKind[];
  readonly certificates: readonly SecretName[];
  /** Why it cannot be there at all. */
  readonly refused: Problem | undefined;
  readonly conflict: Problem | undefined;
  readonly unresolved: Problem | undefined;
  /** Names of the Gateway's other listeners with TLS whose host names are among its own, or its among theirs. */
  readonly overlaps: readonly string[];
  readonly isServed: boolean;
}

export interface JudgedGateway {
  readonly gateway: StoredGateway;
  /** Those that serve it: of all, where it asks for no address. */
  readonly nodes: readonly GatewayNode[];
  /** Why it is not accepted whatever its listeners are. */
  readonly refused: Problem | undefined;
  readonly listeners: readonly JudgedListener[];
}

export function isOwnClass({ spec }: GatewayClass): boolean {
  return spec.controllerName === GATEWAY_CONTROLLER;
}

/** What is wrong with a class of ours. */
export function classProblem({ spec }: GatewayClass): Problem | undefined {
  return spec.parametersRef === undefined
    ? undefined
    : { reason: 'InvalidParameters', message: 'parameters are not read here: remove spec.parametersRef' };
}

/** Whether it is of a class that is served here. One named `plumbline` needs no object. */
export function isServedHere({ spec }: Gateway, classes: readonly GatewayClass[]): boolean {
  const named = classes.find(({ metadata }) => metadata.name === spec.gatewayClassName);
  return named ? isOwnClass(named) && classProblem(named) === undefined : spec.gatewayClassName === OWN_CLASS;
}

/** The Gateways that are served here, the oldest first. */
export function judgeGateways(world: GatewayWorld): readonly JudgedGateway[] {
  const judged: JudgedGateway[] = [];
  const ours = world.gateways.filter((gateway) => isServedHere(gateway, world.classes));
  for (const gateway of ours.toSorted(byAge)) {
    const refused = addressProblem(gateway);
    const nodes = nodesOf(gateway, world.nodes);
    const earlier = judged
      .filter((other) => other.nodes.length === 0 || nodes.length === 0 || other.nodes.some((n) => nodes.includes(n)))
      .flatMap((other) => other.listeners.filter(({ isServed }) => isServed));
    const listeners = gateway.spec.listeners.map((listener) => judge(listener, gateway, earlier, world, refused));
    judged.push({ gateway, nodes, refused, listeners });
  }
  return judged;
}

function addressProblem({ spec }: StoredGateway): Problem | undefined {
  const other = spec.addresses.find(({ type }) => type !== 'IPAddress');
  return (
    other && { reason: 'UnsupportedAddress', message: `addresses of type ${other.type} are not there: IPAddress is` }
  );
}

function nodesOf({ spec }: StoredGateway, nodes: readonly GatewayNode[]): readonly GatewayNode[] {
  const wanted = new Set(spec.addresses.flatMap(({ value }) => value ?? []));
  return wanted.size === 0 ? nodes : nodes.filter(({ address }) => wanted.has(address));
}

function judge(
  listener: Listener,
  gateway: StoredGateway,
  earlier: readonly JudgedListener[],
  world: GatewayWorld,
  gatewayRefused: Problem | undefined,
): JudgedListener {
  const possible = kindsOf(listener);
  const asked = listener.allowedRoutes.kinds;
  const kinds = asked.length === 0 ? possible : asked.filter((kind) => possible.some((one) => isSameKind(one, kind)));
  const refused = refusal(listener, world);
  const conflict = refused ? undefined : conflictOf(listener, gateway, earlier);
  const { certificates, problem } = certificatesOf(listener, gateway, world);
  const unknown = asked.find((kind) => !possible.some((one) => isSameKind(one, kind)));
  const unresolved: Problem | undefined =
    problem ??
    (unknown && {
      reason: 'InvalidRouteKinds',
      message: `${unknown.kind} is no kind of routes for protocol ${listener.protocol}`,
    });
  const isServed =
    !gatewayRefused && !refused && !conflict && kinds.length > 0 && (certificates.length > 0 || !endsTls(listener));
  const overlaps = overlapping(listener, gateway);
  return { gateway, listener, kinds, certificates, refused, conflict, unresolved, overlaps, isServed };
}

/** Whether TLS ends at the proxy. */
export function endsTls({ protocol, tls }: Listener): boolean {
  return protocol === 'HTTPS' || (protocol === 'TLS' && tls?.mode === 'Terminate');
}

const route = (kind: string): RouteKind => ({ group: GATEWAY_GROUP, kind });
const KINDS_OF: ReadonlyMap<string, readonly RouteKind[]> = new Map([
  ['HTTP', [route('HTTPRoute'), route('GRPCRoute')]],
  ['HTTPS', [route('HTTPRoute'), route('GRPCRoute')]],
  ['TLS', [route('TLSRoute')]],
  ['TCP', [route('TCPRoute')]],
]);

function kindsOf({ protocol, tls }: Listener): readonly RouteKind[] {
  const kinds = KINDS_OF.get(protocol) ?? [];
  return protocol === 'TLS' && tls?.mode === 'Terminate' ? [...kinds, route('TCPRoute')] : kinds;
}

function isSameKind(a: RouteKind, b: RouteKind): boolean {
  return a.group === b.group && a.kind === b.kind;
}

function refusal({ protocol, port }: Listener, { takenPorts }: GatewayWorld): Problem | undefined {
  if (!KINDS_OF.has(protocol))
    return {
      reason: 'UnsupportedProtocol',
      message: `protocol ${protocol} is not there: HTTP, HTTPS, TLS and TCP are`,
    };
  const holder = takenPorts.get(port);
  return holder === undefined
    ? undefined
    : { reason: 'PortUnavailable', message: `port ${port} of the machines is of ${holder}` };
}

/** Of two in one Gateway neither is served; of two in different ones the older Gateway's is. */
function conflictOf(
  listener: Listener,
  gateway: StoredGateway,
  earlier: readonly JudgedListener[],
): Problem | undefined {
  for (const other of gateway.spec.listeners) {
    const reason = other === listener ? undefined : conflictReason(listener, other);
    if (reason) return { reason, message: `listener ${other.name} has the same port ${conflictText(reason, other)}` };
  }
  for (const { listener: other, gateway: its } of earlier) {
    const reason = conflictReason(listener, other);
    if (reason)
      return {
        reason,
        message: `listener ${other.name} of Gateway ${nameOf(its)} has the same port of the same machines ${conflictText(reason, other)}`,
      };
  }
  return undefined;
}

function conflictReason(a: Listener, b: Listener): 'ProtocolConflict' | 'HostnameConflict' | undefined {
  if (a.port !== b.port || !KINDS_OF.has(b.protocol)) return undefined;
  if (a.protocol !== b.protocol || a.protocol === 'TCP') return 'ProtocolConflict';
  return (a.hostname ?? '') === (b.hostname ?? '') ? 'HostnameConflict' : undefined;
}

function conflictText(reason: 'ProtocolConflict' | 'HostnameConflict', { protocol, hostname }: Listener): string {
  return reason === 'ProtocolConflict'
    ? `for protocol ${protocol}`
    : `for ${hostname === undefined ? 'any host name' : `host name ${hostname}`}`;
}

function certificatesOf(
  listener: Listener,
  gateway: StoredGateway,
  world: GatewayWorld,
): { readonly certificates: readonly SecretName[]; readonly problem: Problem | undefined } {
  const certificates: SecretName[] = [];
  let problem: Problem | undefined;
  if (!endsTls(listener)) return { certificates, problem };
  const own = gateway.metadata.namespace ?? '';
  const refs = listener.tls?.certificateRefs ?? [];
  if (refs.length === 0) problem = { reason: 'InvalidCertificateRef', message: 'it names no certificate' };
  for (const { group, kind, namespace = own, name } of refs) {
    const found = (): Problem | undefined => {
      if (group !== '' || kind !== 'Secret')
        return { reason: 'InvalidCertificateRef', message: `${kind} is no kind that certificates are of: Secret is` };
      if (!isGranted({ kind: 'Gateway', namespace: own }, { kind: 'Secret', namespace, name }, world.grants))
        return {
          reason: 'RefNotPermitted',
          message: `no ReferenceGrant of namespace ${namespace} lets Gateways of ${own} name Secret ${name}`,
        };
      const wrong = world.certificateProblem(namespace, name);
      return wrong === undefined
        ? undefined
        : { reason: 'InvalidCertificateRef', message: `Secret ${namespace}/${name} ${wrong}` };
    };
    const wrong = found();
    if (wrong) problem ??= wrong;
    else certificates.push({ namespace, name });
  }
  return { certificates, problem };
}

function overlapping(listener: Listener, { spec }: StoredGateway): readonly string[] {
  if (!endsTls(listener)) return [];
  const own = listener.hostname ?? '';
  return spec.listeners
    .filter((other) => other !== listener && other.port === listener.port && endsTls(other))
    .filter(({ hostname = '' }) => hostname !== own && (covers(hostname, own) || covers(own, hostname)))
    .map(({ name }) => name);
}

/**
 * What is told of Gateways, routes and Ingresses. Words and reasons are those of Gateway API: apis/v1/{gateway,gatewayclass,
 * shared}_types.go. Of a route only what is of this controller is written; what others wrote stays.
 */
import {
  conditionIsTrue,
  findCondition,
  GATEWAY_CONTROLLER,
  GATEWAY_GROUP,
  withCondition,
  type Condition,
  type GatewayStatus,
  type IngressStatus,
  type ListenerStatus,
  type RouteParentStatus,
  type RouteStatus,
  type StoredGatewayClass,
} from '../../../contracts/objects/index.ts';
import type { JudgedParent, JudgedRoute } from './attachment.ts';
import type { JudgedPolicy } from './backend-tls.ts';
import type { JudgedIngress } from './ingress-rules.ts';
import { classProblem, type JudgedGateway, type JudgedListener, type Problem } from './listeners.ts';
import type { RouteFindings } from './proxy-spec.ts';
import type { GatewayNode } from './world.ts';

/** Of addresses, and of ancestors, in a status. Source: GatewayStatus.addresses, PolicyStatus.ancestors. */
const MOST_ADDRESSES = 16;
/** Longest message of a condition. Source: meta/v1 Condition. */
const LONGEST_MESSAGE = 1024;

export interface StatusContext {
  /** RFC 3339. */
  readonly now: string;
  /** Whether the node's ProxyConfig in the store is the one that is wanted now. */
  isCurrent(node: GatewayNode): boolean;
}

type Word = Omit<Condition, 'lastTransitionTime'>;

/** Writes conditions of one generation, on top of those that are there. */
class Conditions {
  readonly #generation: number;
  readonly #now: string;
  #list: readonly Condition[];

  constructor(before: readonly Condition[] | undefined, generation: number, now: string) {
    this.#list = before ?? [];
    this.#generation = generation;
    this.#now = now;
  }

  set(type: string, status: Condition['status'], reason: string, message: string): void {
    const cut = message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE - 3)}...` : message;
    const next: Word = { type, status, reason, message: cut, observedGeneration: this.#generation };
    this.#list = withCondition(this.#list, next, this.#now);
  }

  remove(type: string): void {
    this.#list = this.#list.filter((one) => one.type !== type);
  }

  /** True where there is no problem. */
  hold(type: string, problem: Problem | undefined, message: string): void {
    if (problem) this.set(type, 'False', problem.reason, problem.message);
    else this.set(type, 'True', type, message);
  }

  get all(): readonly Condition[] {
    return this.#list;
  }
}

export function classStatus(one: StoredGatewayClass, now: string): NonNullable<StoredGatewayClass['status']> {
  const conditions = new Conditions(one.status?.conditions, one.metadata.generation, now);
  conditions.hold('Accepted', classProblem(one), 'Plumbline serves Gateways of this class');
  return { ...one.status, conditions: conditions.all };
}

/** Addresses of nodes that people are sent to; of all where none is well. */
function publishedAddresses(nodes: readonly GatewayNode[]): readonly string[] {
  const published = nodes.filter(({ isPublished }) => isPublished);
  return (published.length > 0 ? published : nodes).slice(0, MOST_ADDRESSES).map(({ address }) => address);
}

export function gatewayStatus(
  judged: JudgedGateway,
  attached: ReadonlyMap<JudgedListener, number>,
  context: StatusContext,
): GatewayStatus {
  const { gateway, nodes, listeners, refused } = judged;
  const { generation } = gateway.metadata;
  const conditions = new Conditions(gateway.status?.conditions, generation, context.now);
  const served = listeners.filter(({ isServed }) => isServed);
  const unserved = listeners.filter(({ isServed }) => !isServed);
  const notValid = `not served: ${unserved.map(({ listener }) => listener.name).join(', ')}`;
  if (refused) conditions.hold('Accepted', refused, '');
  else if (unserved.length === 0) conditions.set('Accepted', 'True', 'Accepted', 'all listeners are accepted');
  else conditions.set('Accepted', served.length > 0 ? 'True' : 'False', 'ListenersNotValid', notValid);
  const programmed =
    refused ?? addressProblem(judged) ?? (served.length === 0 ? { reason: 'Invalid', message: notValid } : undefined);
  settle(
    conditions,
    programmed ??
      nodesProblem(
        nodes,
        served.map(({ listener }) => listener.port),
        context,
      ),
    generation,
  );
  return {
    ...gateway.status,
    addresses: programmed ? [] : publishedAddresses(nodes).map((value) => ({ type: 'IPAddress', value })),
    conditions: conditions.all,
    listeners: listeners.map((one) => listenerStatus(one, judged, attached.get(one) ?? 0, context)),
  };
}

function addressProblem({ gateway, nodes }: JudgedGateway): Problem | undefined {
  const known = new Set(nodes.map(({ address }) => address));
  const foreign = gateway.spec.addresses.find(({ value }) => value !== undefined && !known.has(value));
  if (foreign)
    return { reason: 'AddressNotUsable', message: `${foreign.value ?? ''} is the address of no gateway node` };
  if (nodes.length > 0) return undefined;
  return {
    reason: 'AddressNotAssigned',
    message: 'there is no gateway node: see spec.gateway.nodeSelector of the Cluster',
  };
}

/** What keeps some node from serving these ports; the first of it. */
function nodesProblem(
  nodes: readonly GatewayNode[],
  ports: readonly number[],
  context: StatusContext,
): Problem | undefined {
  for (const { name, proxy } of nodes)
    for (const { port, message } of proxy?.problems ?? [])
      if (port === undefined || ports.includes(port)) return { reason: 'Invalid', message: `node ${name}: ${message}` };
  const behind = nodes.find((node) => {
    const { proxy, generation } = node;
    return !context.isCurrent(node) || generation === undefined || (proxy?.generation ?? -1) < generation;
  });
  return behind && { reason: 'Pending', message: `node ${behind.name} has not told yet that it serves this` };
}

/** What was true of this generation stays so while the nodes follow a change of routes. */
function settle(conditions: Conditions, problem: Problem | undefined, generation: number): void {
  const before = findCondition(conditions.all, 'Programmed');
  const isKept = problem?.reason === 'Pending' && before?.status === 'True' && before.observedGeneration === generation;
  if (!isKept) conditions.hold('Programmed', problem, 'all gateway nodes serve it');
}

function listenerStatus(
  one: JudgedListener,
  { gateway, nodes, refused }: JudgedGateway,
  attachedRoutes: number,
  context: StatusContext,
): ListenerStatus {
  const { listener, conflict, unresolved, overlaps } = one;
  const { generation } = gateway.metadata;
  const before = gateway.status?.listeners?.find(({ name }) => name === listener.name);
  const conditions = new Conditions(before?.conditions, generation, context.now);
  conditions.hold('Accepted', one.refused ?? conflict, 'it is accepted');
  if (conflict) conditions.set('Conflicted', 'True', conflict.reason, conflict.message);
  else conditions.set('Conflicted', 'False', 'NoConflicts', 'nothing else has its port and host name');
  conditions.hold('ResolvedRefs', unresolved, 'all that it names is there');
  const wrong = refused ?? one.refused ?? conflict ?? (one.isServed ? undefined : unresolved);
  const problem = wrong ? { reason: 'Invalid', message: wrong.message } : nodesProblem(nodes, [listener.port], context);
  const noNodes = nodes.length === 0 ? { reason: 'Pending', message: 'there is no gateway node' } : undefined;
  settle(conditions, problem ?? noNodes, generation);
  if (overlaps.length > 0)
    conditions.set(
      'OverlappingTLSConfig',
      'True',
      'OverlappingHostnames',
      `its host names overlap with those of ${overlaps.join(', ')}: a client may use one connection for both`,
    );
  else conditions.remove('OverlappingTLSConfig');
  return { name: listener.name, supportedKinds: one.kinds, attachedRoutes, conditions: conditions.all };
}

/** At these Gateways, which have routes to what the policy is for; what others told stays. */
export function policyStatus(
  { policy, refused, unresolved }: JudgedPolicy,
  gateways: readonly JudgedGateway[],
  now: string,
): NonNullable<JudgedPolicy['policy']['status']> | undefined {
  const before = policy.status?.ancestors ?? [];
  const foreign = before.filter(({ controllerName }) => controllerName !== GATEWAY_CONTROLLER);
  const own = gateways.slice(0, MOST_ADDRESSES - foreign.length).map(({ gateway: { metadata } }) => {
    const { name, namespace = '' } = metadata;
    const told = before.find(
      ({ ancestorRef, controllerName }) =>
        controllerName === GATEWAY_CONTROLLER && ancestorRef.name === name && ancestorRef.namespace === namespace,
    );
    const conditions = new Conditions(told?.conditions, policy.metadata.generation, now);
    conditions.hold('Accepted', refused, 'it is accepted');
    conditions.hold('ResolvedRefs', unresolved, 'all that it names is there');
    const ancestorRef = { group: GATEWAY_GROUP, kind: 'Gateway' as const, namespace, name };
    return { ancestorRef, controllerName: GATEWAY_CONTROLLER, conditions: conditions.all };
  });
  return own.length === 0 && foreign.length === before.length ? undefined : { ancestors: [...foreign, ...own] };
}

/** Undefined where there is nothing to tell and nothing was told. */
export function routeStatus(
  { status, metadata }: Pick<JudgedRoute['route'], 'status' | 'metadata'>,
  parents: readonly JudgedParent[],
  findings: RouteFindings,
  now: string,
): RouteStatus | undefined {
  const before = status?.parents ?? [];
  const foreign = before.filter(({ controllerName }) => controllerName !== GATEWAY_CONTROLLER);
  const own = parents.map(({ ref, refused }): RouteParentStatus => {
    const told = before.find((one) => one.controllerName === GATEWAY_CONTROLLER && isSameParent(one.parentRef, ref));
    const conditions = new Conditions(told?.conditions, metadata.generation, now);
    const { problem, dropped, isWhole } = { ...findings, isWhole: findings.dropped.length === 0 };
    const text = dropped.map(({ rule, message }) => `rule ${rule}: ${message}`).join('; ');
    const isEmpty = !isWhole && findings.isAllDropped === true;
    conditions.hold(
      'Accepted',
      refused ?? (isEmpty ? { reason: 'UnsupportedValue', message: text } : undefined),
      'it is accepted',
    );
    conditions.hold('ResolvedRefs', problem, 'all that it names is there');
    if (!isWhole && !isEmpty && !refused)
      conditions.set('PartiallyInvalid', 'True', 'UnsupportedValue', `Dropped Rule: ${text}`);
    else conditions.remove('PartiallyInvalid');
    return { parentRef: ref, controllerName: GATEWAY_CONTROLLER, conditions: conditions.all };
  });
  return own.length === 0 && foreign.length === before.length
    ? undefined
    : { ...status, parents: [...foreign, ...own] };
}

function isSameParent(a: RouteParentStatus['parentRef'], b: RouteParentStatus['parentRef']): boolean {
  return (
    a.group === b.group &&
    a.kind === b.kind &&
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.sectionName === b.sectionName &&
    a.port === b.port
  );
}

/** `ports`: those of Ingresses that somebody else has, and who; the ports that they are served at otherwise. */
export function ingressStatus(
  { ingress, problems, isRefused }: JudgedIngress,
  nodes: readonly GatewayNode[],
  ports: { readonly taken: readonly string[]; readonly served: readonly number[] },
  context: StatusContext,
): IngressStatus {
  const conditions = new Conditions(ingress.status?.conditions, ingress.metadata.generation, context.now);
  const wrong = [...problems, ...ports.taken];
  const node = nodesProblem(nodes, ports.served, context);
  const was = conditionIsTrue(ingress.status?.conditions, 'Accepted');
  if (wrong.length > 0) conditions.set('Accepted', 'False', 'Invalid', wrong.join('; '));
  else if (nodes.length === 0) conditions.set('Accepted', 'False', 'Pending', 'there is no gateway node');
  else if (node && !(node.reason === 'Pending' && was)) conditions.set('Accepted', 'False', node.reason, node.message);
  else conditions.set('Accepted', 'True', 'Accepted', 'all gateway nodes serve it');
  const addresses = isRefused ? [] : publishedAddresses(nodes);
  return {
    ...ingress.status,
    loadBalancer: { ingress: addresses.map((ip) => ({ ip })) },
    conditions: conditions.all,
  };
}

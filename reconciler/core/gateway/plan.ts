/**
 * Everything that follows from Gateways, routes and Ingresses: a ProxyConfig for each gateway node, and what is told of
 * each object. A pure function of what there is; what is as it should be is in no step.
 */
import {
  GATEWAY_CONTROLLER,
  objectKey,
  OWN_API_VERSION,
  type ProxyConfig,
  type StoredProxyConfig,
  type RequestMirror,
  type StoredRoute,
} from '../../../contracts/objects/index.ts';
import { equal } from '../fields/json.ts';
import type { Step } from '../step.ts';
import { attach, type JudgedRoute } from './attachment.ts';
import { isServed as isServedIngress } from './ingress-class.ts';
import { mirrored } from './http-rules.ts';
import { judgeIngresses, type IngressHost } from './ingress-rules.ts';
import { isOwnClass, isServedHere, judgeGateways, type JudgedGateway, type JudgedListener } from './listeners.ts';
import { ProxySpecs } from './proxy-spec.ts';
import { classStatus, gatewayStatus, ingressStatus, policyStatus, routeStatus, type StatusContext } from './status.ts';
import { nameOf, type GatewayNode, type GatewayWorld } from './world.ts';

interface GatewayInput extends GatewayWorld {
  readonly configs: readonly StoredProxyConfig[];
  readonly now: Date;
}

export function planGateways(input: GatewayInput): readonly Step[] {
  const gateways = judgeGateways(input);
  const routes = attach(input, gateways);
  const specs = new ProxySpecs(input, routes);
  const { hosts, judged: ingresses } = judgeIngresses(input, specs.backends);
  const wanted = wantedSpecs(input, gateways, specs, hosts, ingresses.length > 0);
  const present = new Map(input.configs.map((config) => [config.metadata.name, config]));
  const names = new Set([...wanted.keys(), ...present.keys()]);
  const current = new Set([...names].filter((name) => equal(present.get(name)?.spec, wanted.get(name))));
  const isCurrent = ({ name }: GatewayNode): boolean => !names.has(name) || current.has(name);
  const context: StatusContext = { now: input.now.toISOString(), isCurrent };
  return [
    ...configSteps(wanted, present, current),
    ...input.classes
      .filter(isOwnClass)
      .flatMap((one) => statusStep({ ...one, status: classStatus(one, context.now) }, one)),
    ...gatewaySteps(gateways, routes, context),
    ...routeSteps(input, routes, specs, context),
    ...policySteps(specs, gateways, routes, context),
    ...ingresses.flatMap((judged) => {
      const status = ingressStatus(judged, input.nodes, ingressPorts(input, gateways), context);
      return statusStep({ ...judged.ingress, status }, judged.ingress);
    }),
    ...forgotten(input),
  ];
}

/** By node. None where nothing is to be served. */
function wantedSpecs(
  input: GatewayInput,
  gateways: readonly JudgedGateway[],
  specs: ProxySpecs,
  hosts: readonly IngressHost[],
  hasIngress: boolean,
): ReadonlyMap<string, ProxyConfig['spec']> {
  const wanted = new Map<string, ProxyConfig['spec']>();
  if (gateways.length === 0 && !hasIngress && input.challenges.length === 0) return wanted;
  // Most nodes serve the same.
  const made = new Map<string, ProxyConfig['spec']>();
  for (const node of input.nodes) {
    const own = gateways.filter(({ nodes, refused }) => !refused && nodes.includes(node));
    const key = own.map(({ gateway }) => nameOf(gateway)).join(' ');
    const spec =
      made.get(key) ??
      specs.spec(
        own.flatMap(({ listeners }) => listeners.filter(({ isServed }) => isServed)),
        hosts,
        input.ingressPorts,
      );
    made.set(key, spec);
    wanted.set(node.name, spec);
  }
  return wanted;
}

function configSteps(
  wanted: ReadonlyMap<string, ProxyConfig['spec']>,
  present: ReadonlyMap<string, StoredProxyConfig>,
  current: ReadonlySet<string>,
): readonly Step[] {
  const steps: Step[] = [];
  for (const [name, spec] of wanted) {
    const before = present.get(name);
    if (!before) steps.push({ do: 'create', object: proxyConfig(name, spec) });
    else if (!current.has(name)) steps.push({ do: 'update', object: { ...before, spec } });
  }
  for (const { metadata } of present.values())
    if (!wanted.has(metadata.name))
      steps.push({ do: 'delete', key: objectKey('ProxyConfig', undefined, metadata.name), uid: metadata.uid });
  return steps;
}

function proxyConfig(name: string, spec: ProxyConfig['spec']): ProxyConfig {
  return { apiVersion: OWN_API_VERSION, kind: 'ProxyConfig', metadata: { name }, spec };
}

function gatewaySteps(
  gateways: readonly JudgedGateway[],
  routes: readonly JudgedRoute[],
  context: StatusContext,
): readonly Step[] {
  const attached = new Map<JudgedListener, Set<unknown>>();
  for (const { route, parents } of routes)
    for (const { listener } of parents.flatMap(({ attachments }) => attachments))
      attached.set(listener, (attached.get(listener) ?? new Set()).add(route));
  const counts = new Map([...attached].map(([listener, all]) => [listener, all.size]));
  return gateways.flatMap((judged) =>
    statusStep({ ...judged.gateway, status: gatewayStatus(judged, counts, context) }, judged.gateway),
  );
}

function routeSteps(
  input: GatewayInput,
  judged: readonly JudgedRoute[],
  specs: ProxySpecs,
  { now }: StatusContext,
): readonly Step[] {
  const parentsOf = new Map(judged.map(({ route, parents }) => [route, parents]));
  const routes = [...input.httpRoutes, ...input.grpcRoutes, ...input.tlsRoutes, ...input.tcpRoutes];
  return routes.flatMap((route): readonly Step[] => {
    const status = routeStatus(route, parentsOf.get(route) ?? [], specs.findings(route), now);
    return status === undefined ? [] : statusStep({ ...route, status }, route);
  });
}

function policySteps(
  { backends }: ProxySpecs,
  gateways: readonly JudgedGateway[],
  routes: readonly JudgedRoute[],
  { now }: StatusContext,
): readonly Step[] {
  if (backends.tls.judged.length === 0) return [];
  /** Gateways with a route to a Service, by its name. */
  const leading = new Map<string, Set<unknown>>();
  for (const { route, parents } of routes)
    for (const rule of route.spec.rules)
      for (const { namespace = route.metadata.namespace ?? '', name } of named(rule)) {
        const all = leading.get(`${namespace}/${name}`) ?? new Set();
        leading.set(`${namespace}/${name}`, all);
        for (const { attachments } of parents) for (const { listener } of attachments) all.add(listener.gateway);
      }
  return backends.tls.judged.flatMap((judged) => {
    const { metadata, spec } = judged.policy;
    const of = spec.targetRefs.map(({ name }) => leading.get(`${metadata.namespace ?? ''}/${name}`));
    const at = gateways.filter(({ gateway }) => of.some((some) => some?.has(gateway)));
    const status = policyStatus(judged, at, now);
    return status === undefined ? [] : statusStep({ ...judged.policy, status }, judged.policy);
  });
}

function named(rule: StoredRoute['spec']['rules'][number]): readonly RequestMirror['backendRef'][] {
  return [...rule.backendRefs, ...('filters' in rule ? mirrored(rule) : [])];
}

/** Ports of Ingresses that a Gateway has for another protocol, or somebody else. */
function ingressPorts(
  { ingressPorts: { http, https }, takenPorts }: GatewayInput,
  gateways: readonly JudgedGateway[],
): { readonly taken: readonly string[]; readonly served: readonly number[] } {
  const wanted = [
    [http, 'HTTP'],
    [https, 'HTTPS'],
  ] as const;
  const taken = wanted.flatMap(([port, protocol]) => {
    const holder = takenPorts.get(port);
    if (holder !== undefined) return [`port ${port} of the machines is of ${holder}`];
    const other = gateways
      .flatMap(({ listeners }) => listeners)
      .find(({ isServed, listener }) => isServed && listener.port === port && listener.protocol !== protocol);
    return other ? [`port ${port} is of listener ${other.listener.name} of Gateway ${nameOf(other.gateway)}`] : [];
  });
  return { taken, served: [http, https] };
}

/** What was told of objects that are of another class now is taken back, where it is ours. */
function forgotten({ gateways, classes, ingresses, ingressClasses }: GatewayInput): readonly Step[] {
  const others = gateways.filter((gateway) => !isServedHere(gateway, classes) && gateway.status !== undefined);
  const left = ingresses.filter((one) => !isServedIngress(one, ingressClasses) && one.status !== undefined);
  return [
    ...others
      .filter(
        ({ spec }) =>
          !classes.some(
            ({ metadata, spec: { controllerName } }) =>
              metadata.name === spec.gatewayClassName && controllerName !== GATEWAY_CONTROLLER,
          ),
      )
      .map(({ status: _status, ...gateway }): Step => ({ do: 'updateStatus', object: gateway })),
    ...left.map(({ status: _status, ...ingress }): Step => ({ do: 'updateStatus', object: ingress })),
  ];
}

type WithStatus = Extract<Step, { readonly do: 'updateStatus' }>['object'];

function statusStep<T extends WithStatus & { readonly status?: unknown }>(after: T, before: T): readonly Step[] {
  return equal(after.status, before.status) ? [] : [{ do: 'updateStatus', object: after }];
}

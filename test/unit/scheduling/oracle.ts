/**
 * Whether a pod may run on a node, from the words of the Kubernetes documentation, as slowly and plainly as it can be
 * said. It shares no code with the scheduler: it looks at every node and every pod, every time, and reads the objects
 * themselves.
 */
import type {
  LabelSelector,
  Node,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../../../contracts/objects/index.ts';

export interface World {
  readonly nodes: readonly Node[];
  /** Pods with their node, which need not be there. */
  readonly placed: readonly { readonly pod: Pod; readonly node: string }[];
  /** Labels by name. */
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

type Labels = Readonly<Record<string, string>>;
const labelsOf = (object: Pod | Node): Labels => object.metadata.labels ?? {};
const nameOf = (node: Node): string => node.metadata.name;

/** The first rule that forbids it; undefined when the pod may run there. */
export function forbids(world: World, pod: Pod, node: Node): string | undefined {
  const rules: readonly (readonly [string, boolean])[] = [
    [
      'cordon',
      node.spec.unschedulable === true &&
        !pod.spec.tolerations.some(
          (t) =>
            (t.key === undefined || t.key === 'node.kubernetes.io/unschedulable') &&
            t.operator === 'Exists' &&
            (t.effect ?? 'NoSchedule') === 'NoSchedule',
        ),
    ],
    ['taint', !toleratesAll(pod, node)],
    ['not ready', !node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')],
    ['node affinity', !fitsNodeAffinity(pod, node)],
    ['host port', portsOf(pod).some((port) => podsOn(world, node).some((other) => portsOf(other).includes(port)))],
    ['room', !hasRoom(world, pod, node)],
    ['spread', !spreads(world, pod, node)],
    ['pod affinity', !isNear(world, pod, node)],
    [
      'pod anti-affinity',
      required(pod, 'podAntiAffinity').some((term) =>
        podsInDomain(world, term.topologyKey, node).some((other) => means(world, pod, term, other)),
      ),
    ],
    [
      'anti-affinity of others',
      world.placed.some((other) =>
        required(other.pod, 'podAntiAffinity').some(
          (term) =>
            sameDomain(
              term.topologyKey,
              node,
              world.nodes.find((n) => nameOf(n) === other.node),
            ) && means(world, other.pod, term, pod),
        ),
      ),
    ],
  ];
  return rules.find(([, broken]) => broken)?.[0];
}

// ---- the node alone ----

function podsOn({ placed }: World, node: Node): Pod[] {
  return placed.filter((entry) => entry.node === nameOf(node)).map(({ pod }) => pod);
}

/**
 * "If there is at least one un-ignored taint with effect NoSchedule [or NoExecute] then Kubernetes will not schedule
 * the pod onto that node."
 */
function toleratesAll(pod: Pod, node: Node): boolean {
  const taints = (node.spec.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  return taints.every((taint) =>
    pod.spec.tolerations.some(
      (t) =>
        (t.effect === undefined || t.effect === taint.effect) &&
        (t.key === undefined
          ? t.operator === 'Exists'
          : t.key === taint.key && (t.operator === 'Exists' || (t.value ?? '') === (taint.value ?? ''))),
    ),
  );
}

function fitsNodeAffinity(pod: Pod, node: Node): boolean {
  const selected = Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labelsOf(node)[key] === value);
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return selected && (terms === undefined || terms.some((term) => fitsTerm(term, node)));
}

function fitsTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  const fields = matchFields.map(({ operator, values }) =>
    operator === 'In' ? values.includes(nameOf(node)) : !values.includes(nameOf(node)),
  );
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    const value = labelsOf(node)[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    if (value === undefined) return false;
    if (operator === 'In') return values.includes(value);
    return operator === 'Gt' ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]);
  });
  const all = [...fields, ...expressions];
  return all.length > 0 && all.every(Boolean);
}

function portsOf({ spec }: Pod): string[] {
  return spec.containers
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ protocol, hostPort, containerPort }) => {
      const port = hostPort ?? (spec.hostNetwork ? containerPort : undefined);
      return port === undefined ? [] : [`${protocol} ${port}`];
    });
}

function number(quantity = '0'): number {
  const [, digits = '0', unit = ''] = /^(\d+)(m|Mi|Gi)?$/.exec(quantity) ?? [];
  return Number(digits) * { '': 1, m: 1 / 1000, Mi: 2 ** 20, Gi: 2 ** 30 }[unit as '' | 'm' | 'Mi' | 'Gi'];
}
/** The larger of all containers together and any one init container; then the overhead. */
export function asksFor({ spec }: Pod, resource: string): number {
  if (resource === 'pods') return 1;
  const together = spec.containers.reduce((sum, { resources }) => sum + number(resources.requests?.[resource]), 0);
  return (
    Math.max(together, ...(spec.initContainers ?? []).map(({ resources }) => number(resources.requests?.[resource]))) +
    number(spec.overhead?.[resource])
  );
}

export const RESOURCES = ['cpu', 'memory', 'pods', 'example.com/gpu'];
function hasRoom(world: World, pod: Pod, node: Node): boolean {
  return RESOURCES.every((resource) => {
    const used = podsOn(world, node).reduce((sum, other) => sum + asksFor(other, resource), 0);
    return (
      asksFor(pod, resource) === 0 ||
      used + asksFor(pod, resource) <= number(node.status?.allocatable?.[resource]) + 1e-9
    );
  });
}

// ---- other pods ----

function sameDomain(key: string, node: Node, other: Node | undefined): boolean {
  return other !== undefined && labelsOf(node)[key] !== undefined && labelsOf(node)[key] === labelsOf(other)[key];
}
function podsInDomain(world: World, key: string, node: Node): Pod[] {
  return world.nodes.filter((other) => sameDomain(key, node, other)).flatMap((other) => podsOn(world, other));
}

/** "A null label selector matches no objects", an empty one all. */
function selects(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (!selector) return false;
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      const isIn = value !== undefined && values.includes(value);
      return { In: isIn, NotIn: !isIn, Exists: value !== undefined, DoesNotExist: value === undefined }[operator];
    })
  );
}

function required(pod: Pod, direction: 'podAffinity' | 'podAntiAffinity'): readonly PodAffinityTerm[] {
  return pod.spec.affinity?.[direction]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

/** Whether a term of `pod` is about the other one. */
function means(world: World, pod: Pod, term: PodAffinityTerm, other: Pod): boolean {
  const [own = '', its = ''] = [pod.metadata.namespace, other.metadata.namespace];
  const names = term.namespaces ?? [];
  const inNamespace =
    names.length === 0 && !term.namespaceSelector
      ? its === own
      : names.includes(its) ||
        selects(term.namespaceSelector, { 'kubernetes.io/metadata.name': its, ...world.namespaces[its] });
  const value = (key: string): string | undefined => labelsOf(pod)[key];
  return (
    inNamespace &&
    selects(term.labelSelector, labelsOf(other)) &&
    (term.matchLabelKeys ?? []).every((key) => value(key) === undefined || labelsOf(other)[key] === value(key)) &&
    (term.mismatchLabelKeys ?? []).every((key) => value(key) === undefined || labelsOf(other)[key] !== value(key))
  );
}

/**
 * Every term's domain has a pod that all terms mean; or nobody is meant anywhere where the keys are, and the pod means
 * itself.
 */
function isNear(world: World, pod: Pod, node: Node): boolean {
  const terms = required(pod, 'podAffinity');
  const meant = (other: Pod): boolean => terms.every((term) => means(world, pod, term, other));
  if (terms.length === 0) return true;
  if (!terms.every(({ topologyKey }) => topologyKey in labelsOf(node))) return false;
  if (terms.every(({ topologyKey }) => podsInDomain(world, topologyKey, node).some(meant))) return true;
  const somebody = world.nodes.some(
    (other) => terms.some(({ topologyKey }) => topologyKey in labelsOf(other)) && podsOn(world, other).some(meant),
  );
  return !somebody && meant(pod);
}

function spreads(world: World, pod: Pod, node: Node): boolean {
  const hard = (pod.spec.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule',
  );
  const hasKeys = (other: Node): boolean => hard.every(({ topologyKey }) => topologyKey in labelsOf(other));
  return (
    hasKeys(node) &&
    hard.every((constraint) => skewOn(world, pod, node, constraint, world.nodes.filter(hasKeys)) <= constraint.maxSkew)
  );
}

/** How far the node's domain would be ahead of the emptiest, with the pod in it. */
function skewOn(world: World, pod: Pod, node: Node, c: TopologySpreadConstraint, withKeys: readonly Node[]): number {
  const counts = (other: Pod): boolean =>
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    selects(c.labelSelector, labelsOf(other)) &&
    (c.matchLabelKeys ?? []).every(
      (key) => labelsOf(pod)[key] === undefined || labelsOf(other)[key] === labelsOf(pod)[key],
    );
  const eligible = withKeys.filter(
    (n) =>
      (c.nodeAffinityPolicy === 'Ignore' || fitsNodeAffinity(pod, n)) &&
      (c.nodeTaintsPolicy === 'Ignore' || toleratesAll(pod, n)),
  );
  const inDomain = (value: string | undefined): number =>
    eligible
      .filter((n) => labelsOf(n)[c.topologyKey] === value)
      .flatMap((n) => podsOn(world, n))
      .filter(counts).length;
  const domains = [...new Set(eligible.map((n) => labelsOf(n)[c.topologyKey]))];
  const least = domains.length < (c.minDomains ?? 1) ? 0 : Math.min(...domains.map(inDomain));
  const itself = selects(c.labelSelector, labelsOf(pod)) ? 1 : 0;
  return inDomain(labelsOf(node)[c.topologyKey]) + itself - least;
}

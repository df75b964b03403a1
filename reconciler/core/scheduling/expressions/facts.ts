/**
 * What expressions see: `node` and `pod`. Made when an expression asks for it, so that what it does not ask for costs
 * nothing.
 */
import {
  ARCH_LABEL,
  HOSTNAME_LABEL,
  OS_LABEL,
  type Taint,
  type Toleration,
} from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { ResourceColumn } from '../columns.ts';
import type { PodShape } from '../pod-shape.ts';

/** Amounts by resource: cores of cpu, else bytes or pieces. */
export type AmountsByName = Readonly<Record<string, number>>;
export type Labels = Readonly<Record<string, string>>;

/** A node as {@link NodeFacts} are made from it. */
export interface NodeSource {
  readonly name: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  readonly allocatable: AmountsByName;
  readonly requested: AmountsByName;
  readonly ready: boolean;
  readonly pods: number;
}

/** How many entries each collection has: what loops over it cost. */
export interface Sizes {
  readonly node: Readonly<Record<'labels' | 'taints' | 'allocatable' | 'requested', number>>;
  readonly pod: Readonly<Record<'labels' | 'requests' | 'tolerations', number>>;
}

/** What a node or pod with much on it has. */
export const LARGE: Sizes = {
  node: { labels: 64, taints: 16, allocatable: 32, requested: 32 },
  pod: { labels: 16, requests: 16, tolerations: 16 },
};
/** Characters of the longest name, label or value. */
export const LONGEST_WORD = 320;

const PER_CORE = 1000;
const inUnits = (resource: string, amount: number): number => (resource === 'cpu' ? amount / PER_CORE : amount);
const sizeOf = (record: object): number => Object.keys(record).length;

/** The fields of a Taint as expressions see them; what is not set is empty text. */
export class TaintFacts {
  readonly key: string;
  readonly value: string;
  readonly effect: string;
  constructor({ key, value = '', effect }: Taint) {
    [this.key, this.value, this.effect] = [key, value, effect];
  }
}

export class TolerationFacts {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
  readonly effect: string;
  constructor({ key = '', operator, value = '', effect }: Toleration) {
    [this.key, this.operator, this.value, this.effect] = [key, operator, value, effect ?? ''];
  }
}

/** The variable `node`. */
export class NodeFacts {
  readonly #source: NodeSource;
  constructor(source: NodeSource) {
    this.#source = source;
  }
  get name(): string {
    return this.#source.name;
  }
  get labels(): Labels {
    return this.#source.labels;
  }
  get taints(): readonly TaintFacts[] {
    return this.#source.taints.map((taint) => new TaintFacts(taint));
  }
  get allocatable(): AmountsByName {
    return this.#source.allocatable;
  }
  get requested(): AmountsByName {
    return this.#source.requested;
  }
  get ready(): boolean {
    return this.#source.ready;
  }
  get pods(): bigint {
    return BigInt(this.#source.pods);
  }
}

/** The variable `pod`: what all pods of a shape have in common. */
export class PodFacts {
  readonly namespace: string;
  readonly labels: Labels;
  readonly priority: bigint;
  /** Has always cpu and memory. */
  readonly requests: AmountsByName;
  readonly tolerations: readonly TolerationFacts[];

  constructor(
    of: Pick<PodShape, 'namespace' | 'labels' | 'priority' | 'requests'> & {
      readonly tolerations: readonly Toleration[];
    },
  ) {
    this.namespace = of.namespace;
    this.labels = of.labels;
    this.priority = BigInt(of.priority);
    const asked = [...of.requests]
      .filter(([resource]) => resource !== 'pods')
      .map(([resource, amount]) => [resource, inUnits(resource, amount)] as const);
    this.requests = { cpu: 0, memory: 0, ...Object.fromEntries(asked) };
    this.tolerations = of.tolerations.map((toleration) => new TolerationFacts(toleration));
  }
}

/**
 * The nodes of a cluster, one at a time: expressions see the one that {@link ClusterNodes.at} chose last, as it is
 * then.
 */
export class ClusterNodes implements NodeSource {
  readonly #cluster: ClusterState;
  #node = -1;
  #allocatable: AmountsByName | undefined;
  #requested: AmountsByName | undefined;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }
  at(node: number): this {
    this.#node = node;
    this.#allocatable = this.#requested = undefined;
    return this;
  }
  get name(): string {
    return this.#cluster.nodeName(this.#node);
  }
  get labels(): Labels {
    return this.#cluster.labels(this.#node);
  }
  get taints(): readonly Taint[] {
    return this.#cluster.taints(this.#node);
  }
  get ready(): boolean {
    return this.#cluster.ready(this.#node);
  }
  get pods(): number {
    return this.#cluster.resource('pods').used[this.#node] ?? 0;
  }
  get allocatable(): AmountsByName {
    return (this.#allocatable ??= this.#amounts(({ allocatable }) => allocatable));
  }
  get requested(): AmountsByName {
    return (this.#requested ??= this.#amounts(({ used }) => used));
  }

  /** Of the resources that the node has. */
  #amounts(columnOf: (column: ResourceColumn) => Float64Array): AmountsByName {
    const node = this.#node;
    const amounts: Record<string, number> = {};
    for (const resource of Object.keys(this.#cluster.node(node).status?.allocatable ?? {})) {
      const column = this.#cluster.resource(resource);
      if ((column.allocatable[node] ?? 0) > 0) amounts[resource] = inUnits(resource, columnOf(column)[node] ?? 0);
    }
    return amounts;
  }
}

export function sizesOf(node: NodeSource, pod: PodFacts): Sizes {
  return {
    node: {
      labels: sizeOf(node.labels),
      taints: node.taints.length,
      allocatable: sizeOf(node.allocatable),
      requested: sizeOf(node.requested),
    },
    pod: { labels: sizeOf(pod.labels), requests: sizeOf(pod.requests), tolerations: pod.tolerations.length },
  };
}

export interface Sample {
  readonly node: NodeSource;
  readonly pod: PodFacts;
}

const OWN_LABELS = { [HOSTNAME_LABEL]: 'node-1', [OS_LABEL]: 'linux', [ARCH_LABEL]: 'amd64' };
const AMOUNTS = { cpu: 8, memory: 2 ** 34, 'ephemeral-storage': 2 ** 37, pods: 110 };

/**
 * What expressions are tried on before they are accepted: a node and a pod with as little as any, and with something of
 * everything.
 */
export const SAMPLES: readonly Sample[] = [
  {
    node: {
      name: 'node-1',
      labels: OWN_LABELS,
      taints: [],
      allocatable: AMOUNTS,
      requested: { cpu: 0, memory: 0, 'ephemeral-storage': 0, pods: 0 },
      ready: true,
      pods: 0,
    },
    pod: new PodFacts({ namespace: 'default', labels: {}, priority: 0, requests: new Map(), tolerations: [] }),
  },
  {
    node: {
      name: 'node-1',
      labels: OWN_LABELS,
      taints: [{ key: 'dedicated', effect: 'NoSchedule' }],
      allocatable: AMOUNTS,
      requested: { cpu: 2.5, memory: 2 ** 32, 'ephemeral-storage': 0, pods: 7 },
      ready: true,
      pods: 7,
    },
    pod: new PodFacts({
      namespace: 'default',
      labels: { app: 'web' },
      priority: 1000,
      requests: new Map([
        ['pods', 1],
        ['cpu', 500],
        ['memory', 2 ** 28],
      ]),
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    }),
  },
];

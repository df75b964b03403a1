/**
 * Kubernetes' own test tables, told as clusters (tables/README.md), asked of the scheduler library. Scores agree when
 * they differ by less than 1 in the same order: Plumbline keeps fractions. PodTopologySpread's raw scores are made
 * whole first, as Kubernetes does before it normalises them.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  KubeSchedulerConfigurationManifest,
  PodManifest,
  PriorityClassManifest,
  type Node,
  type PriorityClass,
  type Service,
  type Stored,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import { checkObject } from '../../../reconciler/core/manifests/checks/check-object.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { MAX_NODE_SCORE } from '../../../reconciler/core/scheduling/framework.ts';
import { buildProfiles, type Profile } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { VictimSearch } from '../../../reconciler/core/scheduling/victims.ts';

interface TableContainer {
  readonly image?: string;
  readonly ports?: readonly {
    readonly containerPort?: number;
    readonly hostPort?: number;
    readonly protocol?: string;
    readonly hostIP?: string;
  }[];
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}
interface TablePod {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly containers: readonly TableContainer[];
  readonly initContainers?: readonly TableContainer[];
  readonly priority?: number;
  readonly nodeName?: string;
  readonly nominatedNodeName?: string;
  readonly terminating?: boolean;
  readonly startTime?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}
interface TableNode {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: Node['spec']['taints'];
  readonly unschedulable?: boolean;
  readonly allocatable?: Readonly<Record<string, string>>;
  readonly images?: NonNullable<Node['status']>['images'];
}
interface TableCase {
  readonly case: string;
  readonly plugin: string;
  readonly nodes: readonly TableNode[];
  readonly pods?: readonly TablePod[];
  readonly pod: TablePod;
  readonly filters?: readonly string[];
  readonly args?: object;
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly services?: readonly { readonly selector: Readonly<Record<string, string>> }[];
  readonly budgets?: readonly {
    readonly name: string;
    readonly selector: object;
    readonly disruptionsAllowed: number;
    readonly disruptedPods?: readonly string[];
  }[];
  /** How Kubernetes made raw scores whole when the table was written. */
  readonly cut?: 'round';
  /** Why the answer is another here. */
  readonly known?: string;
}
type Case = TableCase &
  /** What each node says; `ok` where it is not named. */
  (
    | {
        readonly kind: 'filter';
        readonly expect: Readonly<Record<string, 'ok' | 'Unschedulable' | 'UnschedulableAndUnresolvable'>>;
        readonly reasons?: readonly string[];
      }
    | { readonly kind: 'score'; readonly expect: Readonly<Record<string, number>> }
    | {
        readonly kind: 'preempt';
        readonly expect: { readonly node: readonly (string | null)[]; readonly victims?: readonly string[] };
      }
    | {
        readonly kind: 'dry-run';
        readonly expect: Readonly<Record<string, { readonly victims: readonly string[]; readonly violations: number }>>;
      }
    /** The pod, or the plugin's arguments, must not get past the schema or the checks of a push. */
    | { readonly kind: 'refused-pod' | 'refused-args'; readonly expect: unknown }
  );

const TIME = '2026-01-01T00:00:00.000Z';
const META = { resourceVersion: '1', generation: 1, creationTimestamp: TIME };

function containersOf(list: readonly TableContainer[], prefix: string): object[] {
  return list.map(({ image, ports, requests, limits }, at) => ({
    name: `${prefix}${at}`,
    image: image ?? 'app:v1',
    ...(ports && {
      ports: ports.map((port) => ({ containerPort: port.containerPort ?? port.hostPort ?? 80, ...port })),
    }),
    resources: { ...(requests && { requests }), ...(limits && { limits }) },
  }));
}

/** Tables name priorities by number; here a class of that value is made for each. */
class Classes {
  readonly byName = new Map<string, PriorityClass>();
  nameOf(value: number): string {
    const name = `p${value}`.replace('-', 'minus-');
    if (!this.byName.has(name))
      this.byName.set(
        name,
        PriorityClassManifest.parse({
          apiVersion: 'scheduling.k8s.io/v1',
          kind: 'PriorityClass',
          metadata: { name },
          value,
        }),
      );
    return name;
  }
}

/** As the store would have it. Pods of tables may have no container, which no manifest may. */
function podOf(given: TablePod, number: number, classes: Classes): StoredPod {
  const { name = `pod-${number}`, namespace = '', labels, priority, nodeName } = given;
  const made = PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${number}`, namespace: 'default' },
    spec: {
      ...given.spec,
      containers:
        given.containers.length > 0 ? containersOf(given.containers, 'c') : [{ name: 'none', image: 'app:v1' }],
      ...(given.initContainers && { initContainers: containersOf(given.initContainers, 'i') }),
      ...(priority !== undefined && { priorityClassName: classes.nameOf(priority) }),
    },
  });
  return {
    ...made,
    metadata: {
      ...META,
      name,
      namespace,
      uid: `${namespace}/${name}#${number}`,
      ...(labels && { labels }),
      ...(given.terminating && { deletionTimestamp: TIME }),
    },
    spec: {
      ...made.spec,
      ...(given.containers.length === 0 && { containers: [] }),
      ...(nodeName !== undefined && { nodeName }),
    },
    status: {
      phase: nodeName === undefined ? 'Pending' : 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: TIME }],
      ...(given.startTime !== undefined && { startTime: given.startTime }),
      ...(given.nominatedNodeName !== undefined && { nominatedNodeName: given.nominatedNodeName }),
    },
  };
}

function nodeOf({ name, labels = {}, taints, unschedulable, allocatable = {}, images }: TableNode): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: { ...(taints && { taints }), ...(unschedulable && { unschedulable }) },
    status: {
      allocatable,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: TIME }],
      ...(images && { images }),
    },
  };
}

/** The plugin alone, with the filters that the table has. Throws where the arguments are refused. */
function profilesOf(row: Case): ReadonlyMap<string, Profile> {
  const cordons = row.nodes.some(({ unschedulable }) => unschedulable) ? ['NodeUnschedulable'] : [];
  const filters = (row.filters ?? (row.kind === 'filter' ? [row.plugin] : cordons))
    .filter((name) => name !== 'NodeName')
    .map((name) => ({ name }));
  const only = [{ name: row.plugin }];
  const plugins = {
    multiPoint: { disabled: [{ name: '*' }], enabled: [{ name: 'PrioritySort' }, { name: 'DefaultBinder' }] },
    preFilter: { enabled: filters },
    filter: { enabled: filters },
    ...(row.plugin === 'DefaultPreemption' && { postFilter: { enabled: only } }),
    ...(row.kind === 'score' && { preScore: { enabled: only }, score: { enabled: only } }),
  };
  const { profiles, problems } = buildProfiles(
    KubeSchedulerConfigurationManifest.parse({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      profiles: [{ plugins, ...(row.args && { pluginConfig: [{ name: row.plugin, args: row.args }] }) }],
    }),
  );
  assert.deepEqual(problems, []);
  return profiles;
}

function worldOf(row: Case): { readonly cluster: ClusterState; readonly pod: StoredPod } {
  const cluster = new ClusterState();
  const classes = new Classes();
  for (const [name, labels] of Object.entries(row.namespaces ?? {}))
    cluster.setNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  const services = (row.services ?? []).map(({ selector }, at): Stored<Service> => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...META, name: `s${at}`, namespace: '', uid: `s${at}` },
    spec: { selector, ports: [], type: 'ClusterIP', sessionAffinity: 'None', publishNotReadyAddresses: false },
  }));
  if (services.length > 0) cluster.setServices('', services);
  for (const node of row.nodes) cluster.setNode(nodeOf(node));
  const others = (row.pods ?? []).map((given, at) => podOf(given, at, classes));
  const pod = podOf(row.pod, 9999, classes);
  cluster.priorityClasses = classes.byName;
  for (const other of others) if (other.spec.nodeName !== undefined) cluster.setPod(other);
  for (const other of others)
    if (other.spec.nodeName === undefined && other.status?.nominatedNodeName !== undefined)
      cluster.nominate(other, other.status.nominatedNodeName);
  const budgets = (row.budgets ?? []).map(
    ({ name, selector, disruptionsAllowed, disruptedPods = [] }): StoredPodDisruptionBudget => ({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { ...META, name, namespace: '', uid: name },
      spec: { selector, maxUnavailable: 1 },
      status: {
        disruptionsAllowed,
        currentHealthy: 1,
        desiredHealthy: 1,
        expectedPods: 1,
        disruptedPods: Object.fromEntries(disruptedPods.map((gone) => [gone, TIME])),
      },
    }),
  );
  if (budgets.length > 0) cluster.setBudgets('', budgets);
  return { cluster, pod };
}

/** What PodTopologySpread would score if its raw scores were whole numbers. */
function wholeSpreadScores(
  { scores: [entry] }: Profile,
  cluster: ClusterState,
  pod: StoredPod,
  nodes: readonly string[],
  cut: 'round' | 'trunc',
): Record<string, number> {
  const scoring = entry?.plugin.preScore?.(cluster.shape(pod), cluster);
  const numbers = Int32Array.from(nodes, (name) => cluster.number(name) ?? -1);
  scoring?.among?.(numbers, numbers.length);
  const raw = Array.from(numbers, (number) => Math[cut](scoring?.score(number) ?? NaN));
  const known = raw.filter((score) => !Number.isNaN(score));
  const [min, max] = [Math.min(...known), Math.max(...known)];
  return Object.fromEntries(
    nodes.map((name, at) => {
      const score = raw[at] ?? NaN;
      return [
        name,
        Number.isNaN(score) ? 0 : max === 0 ? MAX_NODE_SCORE : Math.trunc((MAX_NODE_SCORE * (max + min - score)) / max),
      ];
    }),
  );
}

function ask(row: Case): void {
  if (row.kind === 'refused-args') return assert.throws(() => profilesOf(row));
  const profiles = profilesOf(row);
  if (row.kind === 'refused-pod') {
    const errors: string[] = [];
    try {
      const { pod } = worldOf(row);
      checkObject(
        { ...pod, metadata: { name: 'p', namespace: 'default' } },
        {
          error: (code) => errors.push(code),
          warning: () => undefined,
          has: () => true,
          closest: () => undefined,
          shape: () => undefined,
        },
      );
    } catch {
      errors.push('the schema');
    }
    return assert.notDeepEqual(errors, []);
  }
  const { cluster, pod } = worldOf(row);
  const scheduler = new Scheduler(cluster, { profiles, seed: 'test' });
  const profile = scheduler.profileOf(pod);
  assert.ok(profile);
  const candidates = scheduler.candidates(cluster.shape(pod), profile);
  switch (row.kind) {
    case 'filter': {
      const { verdicts } = scheduler.refusal(pod);
      const said = Object.fromEntries(row.nodes.map(({ name }) => [name, 'ok']));
      for (const { node } of verdicts)
        said[node] = candidates.preemptableAt(cluster.number(node) ?? -1)
          ? 'Unschedulable'
          : 'UnschedulableAndUnresolvable';
      assert.deepEqual(said, { ...Object.fromEntries(row.nodes.map(({ name }) => [name, 'ok'])), ...row.expect });
      if (row.reasons && row.plugin === 'NodeResourcesFit')
        assert.deepEqual(
          verdicts.flatMap(({ reasons }) => reasons.map(({ reason }) => reason)).sort(),
          [...row.reasons].sort(),
        );
      return;
    }
    case 'score': {
      const expected = Object.entries(row.expect);
      const said: Record<string, number> = {};
      for (const { node, plugins } of scheduler.ranking(pod, Infinity))
        for (const { score } of plugins) said[node] = score;
      // A plugin that does not tell nodes apart says nothing.
      if (Object.keys(said).length === 0) return assert.equal(new Set(expected.map(([, score]) => score)).size, 1);
      const near = expected.every(([node, score]) => Math.abs((said[node] ?? NaN) - score) < 1 + 1e-9);
      const inOrder = expected.every(([a, x]) =>
        expected.every(([b, y]) => x <= y || (said[a] ?? NaN) > (said[b] ?? NaN)),
      );
      if (near && inOrder) return assert.equal(Object.keys(said).length, expected.length);
      const whole =
        row.plugin === 'PodTopologySpread' && inOrder
          ? wholeSpreadScores(profile, cluster, pod, Object.keys(row.expect), row.cut ?? 'trunc')
          : said;
      return assert.deepEqual(whole, row.expect);
    }
    case 'preempt': {
      const outcome = scheduler.place(pod);
      const nomination = outcome.is === 'nominated' ? outcome.nomination : undefined;
      assert.notEqual(outcome.is, 'placed');
      assert.ok(
        row.expect.node.includes(nomination?.node ?? null),
        `${nomination?.node ?? null} is not among ${row.expect.node.join(', ')}`,
      );
      if (row.expect.victims)
        assert.deepEqual((nomination?.victims ?? []).map(({ metadata }) => metadata.name).sort(), row.expect.victims);
      return;
    }
    case 'dry-run': {
      const search = new VictimSearch(cluster.shape(pod), cluster, candidates);
      const said: Record<string, object> = {};
      for (const number of candidates.preemptable()) {
        if (search.on(number) && search.victims.length > 0)
          said[cluster.nodeName(number)] = {
            victims: search.victims.map((placed) => placed.pod.metadata.name).sort(),
            violations: search.violations,
          };
      }
      return assert.deepEqual(said, row.expect);
    }
  }
}

const folder = new URL('tables/', import.meta.url);
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()) {
  describe(`Kubernetes' tables of ${file.slice(0, -'.json'.length)}`, () => {
    for (const row of JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as readonly Case[]) {
      if (row.known === undefined) it(row.case, () => ask(row));
      // Fails when the difference is gone: then it is no longer to be documented.
      else it(`${row.case}: another answer, ${row.known}`, () => assert.throws(() => ask(row)));
    }
  });
}

/**
 * The workloads of Kubernetes' test/integration/scheduler_perf, with their nodes, initial and measured pods, and some
 * of our own. What their CI (`threshold` in performance-config.yaml) or their dashboards say of kube-scheduler stands
 * beside what is aimed at here.
 */
import { HOSTNAME_LABEL, ZONE_LABEL, type Node, type StoredPod } from '../../contracts/objects/index.ts';
import {
  affinePod,
  attractedPod,
  daemonSetPod,
  DEFAULT_POD,
  HIGH_PRIORITY_POD,
  LARGE_POD,
  LOW_PRIORITY_POD,
  makeNode,
  makeNodes,
  makePods,
  makeService,
  spreadingPod,
  type Template,
} from './objects.ts';
import type { Happening, Workload } from './run.ts';

export interface NamedWorkload {
  /** As in scheduler_perf. */
  readonly name: string;
  /** Sizes are those of scheduler_perf times `scale`. */
  readonly make: (scale: number) => Workload;
  /**
   * Pods per second of kube-scheduler: the least that its CI accepts, or what was measured in its CI. Undefined where
   * it has no such workload.
   */
  readonly kubernetes: { readonly perSecond: number; readonly is: 'CI floor' | 'measured' } | undefined;
  /** Pods per second that are aimed at. */
  readonly aim: number | undefined;
  /** Preempting pods cannot be placed without the plugin that makes room. */
  readonly preempts?: boolean;
}

const ZONES = ['moon-1', 'moon-2', 'moon-3'];
const NODES = 5000;
const times = (count: number, scale: number): number => Math.ceil(count * scale);

const counted = (pods: readonly StoredPod[]): Happening[] => pods.map((pod) => ({ pod, counted: true }));

/** What `others` has for it, after every `step` pods. */
function interleaved(
  pods: readonly StoredPod[],
  step: number,
  others: (turn: number) => readonly Happening[],
): Happening[] {
  return pods.flatMap((pod, i): Happening[] => [
    { pod, counted: true },
    ...((i + 1) % step === 0 ? others((i + 1) / step - 1) : []),
  ]);
}

/** One of the pods in each turn. */
function besides(pods: readonly StoredPod[]): (turn: number) => readonly Happening[] {
  return (turn) => pods.slice(turn, turn + 1).map((pod) => ({ pod, counted: false }));
}

/** What comes and goes in SchedulingWithMixedChurn: a node, a pod that fits nowhere, a Service. */
function churn(large: readonly StoredPod[]): (turn: number) => readonly Happening[] {
  const node = makeNode('churned', undefined);
  const service = makeService('default', 'churned', { app: 'foo' });
  const pods = besides(large);
  return (turn) =>
    turn % 2 === 0
      ? [
          {
            change: (cluster) => {
              cluster.setNode(node);
              cluster.setServices('default', [service]);
            },
          },
          ...pods(turn / 2),
        ]
      : [
          {
            change: (cluster) => {
              cluster.removeNode('churned');
              cluster.setServices('default', []);
            },
          },
        ];
}

/** A node tells that it has one image more, as nodes do while a rollout reaches them. */
function imageReports(nodes: readonly Node[]): (turn: number) => readonly Happening[] {
  return (turn) => {
    const node = nodes[(turn * 37) % nodes.length];
    if (!node) return [];
    const images = [{ names: [`registry.example/app:${turn}`], sizeBytes: 50_000_000 }];
    return [
      {
        change: (cluster) => {
          cluster.setNode({ ...node, status: { ...node.status, images } });
        },
      },
    ];
  };
}

/** One pod of each list in turn. */
function byTurns(lists: readonly (readonly StoredPod[])[]): StoredPod[] {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat();
}

/** `count` pods of `deployments` Deployments that differ in labels, owner and what they ask for, by turns. */
export function deploymentPods(
  deployments: number,
  count: number,
  more: (index: number, labels: Record<string, string>) => Partial<Template> = () => ({}),
  nodeOf?: (index: number) => string,
): StoredPod[] {
  let at = 0;
  const each = Math.ceil(count / deployments);
  return byTurns(
    Array.from({ length: deployments }, (_, i) => {
      const labels = { app: `app-${i}` };
      const template: Template = {
        name: `app-${i}`,
        namespace: 'apps',
        labels,
        owner: `rs-${i}`,
        cpu: `${50 + (i % 6) * 10}m`,
        memory: `${100 + (i % 7) * 50}Mi`,
        ...more(i, labels),
      };
      return makePods(each, template, nodeOf && (() => nodeOf(at++)));
    }),
  ).slice(0, count);
}

function affinity(
  direction: 'podAffinity' | 'podAntiAffinity',
  topologyKey: string,
  color: string,
  scale: number,
  initial: number,
  measured: number,
  zones: readonly string[],
): Workload {
  return {
    nodes: makeNodes(times(NODES, scale), zones),
    initial: makePods(times(initial, scale), affinePod(direction, topologyKey, color, 'sched-0')),
    measured: counted(makePods(times(measured, scale), affinePod(direction, topologyKey, color, 'sched-1'))),
  };
}

function attraction(direction: 'podAffinity' | 'podAntiAffinity', color: string, scale: number): Workload {
  return {
    nodes: makeNodes(times(NODES, scale)),
    initial: makePods(times(5000, scale), attractedPod(direction, color, 'sched-0')),
    measured: counted(makePods(times(5000, scale), attractedPod(direction, color, 'sched-1'))),
  };
}

function spreading(when: 'DoNotSchedule' | 'ScheduleAnyway', scale: number): Workload {
  return {
    nodes: makeNodes(times(NODES, scale), ZONES),
    initial: makePods(times(5000, scale), DEFAULT_POD),
    measured: counted(makePods(times(5000, scale), spreadingPod(when))),
  };
}

const DAEMONSET_NODE = 'scheduler-perf-node';

export const WORKLOADS: readonly NamedWorkload[] = [
  {
    name: 'SchedulingBasic/5000Nodes_10000Pods',
    kubernetes: { perSecond: 680, is: 'CI floor' },
    aim: 10_000,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale)),
      initial: makePods(times(1000, scale), DEFAULT_POD),
      measured: counted(makePods(times(10_000, scale), DEFAULT_POD)),
    }),
  },
  {
    name: 'SchedulingDaemonset/15000Nodes',
    kubernetes: { perSecond: 1100, is: 'CI floor' },
    aim: 15_000,
    make: (scale) => ({
      nodes: [makeNode(DAEMONSET_NODE, undefined, '90000'), ...makeNodes(times(15_000, scale))],
      measured: counted(makePods(times(30_000, scale), daemonSetPod(DAEMONSET_NODE))),
    }),
  },
  {
    name: 'TopologySpreading/5000Nodes_5000Pods',
    kubernetes: { perSecond: 460, is: 'CI floor' },
    aim: 4000,
    make: (scale) => spreading('DoNotSchedule', scale),
  },
  {
    name: 'PreferredTopologySpreading/5000Nodes_5000Pods',
    kubernetes: { perSecond: 340, is: 'CI floor' },
    aim: 4000,
    make: (scale) => spreading('ScheduleAnyway', scale),
  },
  {
    name: 'SchedulingPodAntiAffinity/5000Nodes_2000Pods',
    kubernetes: { perSecond: 248, is: 'measured' },
    aim: 2500,
    make: (scale) => affinity('podAntiAffinity', HOSTNAME_LABEL, 'green', scale, 1000, 2000, []),
  },
  {
    name: 'SchedulingPodAffinity/5000Nodes_5000Pods',
    kubernetes: { perSecond: 133, is: 'measured' },
    aim: 2500,
    make: (scale) => affinity('podAffinity', ZONE_LABEL, 'blue', scale, 5000, 5000, ['zone1']),
  },
  {
    name: 'SchedulingPreferredPodAffinity/5000Nodes_5000Pods',
    kubernetes: { perSecond: 300, is: 'measured' },
    aim: 2500,
    make: (scale) => attraction('podAffinity', 'red', scale),
  },
  {
    name: 'SchedulingPreferredPodAntiAffinity/5000Nodes_5000Pods',
    kubernetes: { perSecond: 300, is: 'measured' },
    aim: 2500,
    make: (scale) => attraction('podAntiAffinity', 'yellow', scale),
  },
  {
    // Their CI has this one with 1,000 nodes only; with 5,000 it "always seems to fail" there
    // (kubernetes/kubernetes#108308).
    name: 'PreemptionBasic/5000Nodes',
    kubernetes: undefined,
    aim: 4000,
    preempts: true,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale)),
      initial: makePods(times(20_000, scale), LOW_PRIORITY_POD),
      measured: counted(makePods(times(5000, scale), HIGH_PRIORITY_POD)),
    }),
  },
  {
    // Five preempting pods a second there; here as many per measured pod as that is at their CI's floor.
    name: 'PreemptionAsync/5000Nodes',
    kubernetes: { perSecond: 570, is: 'CI floor' },
    aim: 4000,
    preempts: true,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale)),
      initial: makePods(times(20_000, scale), LOW_PRIORITY_POD),
      measured: interleaved(
        makePods(times(5000, scale), DEFAULT_POD),
        114,
        besides(makePods(times(43, scale), HIGH_PRIORITY_POD)),
      ),
    }),
  },
  {
    // Five unschedulable pods a second there, which makes 85 of them; here 2,000.
    name: 'Unschedulable/5kNodes/100Init/10kPods',
    kubernetes: { perSecond: 590, is: 'CI floor' },
    aim: 6000,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale)),
      initial: makePods(times(100, scale), DEFAULT_POD),
      measured: interleaved(
        makePods(times(10_000, scale), DEFAULT_POD),
        5,
        besides(makePods(times(2000, scale), LARGE_POD)),
      ),
    }),
  },
  {
    // Every second there; here as many per measured pod as that is at their CI's floor.
    name: 'SchedulingWithMixedChurn/5000Nodes_10000Pods',
    kubernetes: { perSecond: 710, is: 'CI floor' },
    aim: undefined,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale)),
      measured: interleaved(makePods(times(10_000, scale), DEFAULT_POD), 710, churn(makePods(20, LARGE_POD))),
    }),
  },
  {
    name: 'UniqueShapes/5000Nodes_2000Pods',
    kubernetes: undefined,
    aim: undefined,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale), ZONES),
      initial: makePods(times(1000, scale), DEFAULT_POD),
      measured: counted(
        Array.from({ length: times(2000, scale) }, (_, i) =>
          makePods(1, { ...DEFAULT_POD, name: `job-${i}`, labels: { job: `job-${i}` } }),
        ).flat(),
      ),
    }),
  },
  {
    name: 'DeploymentsWithServices/5000Nodes_300Deployments_6000Pods',
    kubernetes: undefined,
    aim: undefined,
    make: (scale) => ({
      nodes: makeNodes(times(NODES, scale), ZONES),
      initial: makePods(times(1000, scale), DEFAULT_POD),
      services: Array.from({ length: 300 }, (_, i) => makeService('apps', `app-${i}`, { app: `app-${i}` })),
      measured: counted(deploymentPods(300, times(6000, scale))),
    }),
  },
  {
    name: 'DeploymentsWithNodeReports/5000Nodes_30Deployments_2000Pods',
    kubernetes: undefined,
    aim: undefined,
    make: (scale) => {
      const nodes = makeNodes(times(NODES, scale), ZONES);
      return {
        nodes,
        initial: makePods(times(1000, scale), DEFAULT_POD),
        measured: interleaved(deploymentPods(30, times(2000, scale)), 20, imageReports(nodes)),
      };
    },
  },
];

/** How cost, memory and the time to build the state grow with nodes and with pods that are there already. */
import { HOSTNAME_LABEL, ZONE_LABEL, type StoredPod } from '../../contracts/objects/index.ts';
import { floorMicros } from './floor.ts';
import { DEFAULT_POD, makeNodes, makePods, makeService, type Template } from './objects.ts';
import { run, type Happening, type Run, type Workload } from './run.ts';
import { deploymentPods } from './workloads.ts';

const ZONES = ['moon-1', 'moon-2', 'moon-3'];
const MEASURED = 2000;
const DEPLOYMENTS = 300;

export interface Growth {
  readonly nodes: number;
  readonly existing: number;
  readonly floorMicros: number;
  readonly runs: Readonly<Record<string, Run>>;
}

function measure(nodes: number, existing: number, workloads: Readonly<Record<string, () => Workload>>): Growth {
  const floor = floorMicros(nodes, MEASURED);
  return {
    nodes,
    existing,
    floorMicros: floor,
    runs: Object.fromEntries(Object.entries(workloads).map(([name, make]) => [name, run(make)])),
  };
}

/** From 100 nodes to 5,000: pods of one Deployment without any rule, and with a required spread over zones. */
export function growthWithNodes(counts: readonly number[]): Growth[] {
  const spread = {
    topologySpreadConstraints: [
      {
        maxSkew: 5,
        topologyKey: ZONE_LABEL,
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { color: 'blue' } },
      },
    ],
  };
  const workload = (nodes: number, template: Template): Workload => ({
    nodes: makeNodes(nodes, ZONES),
    measured: makePods(MEASURED, template).map((pod) => ({ pod, counted: true })),
  });
  return counts.map((nodes) =>
    measure(nodes, 0, {
      plain: () => workload(nodes, DEFAULT_POD),
      spread: () => workload(nodes, { ...DEFAULT_POD, labels: { color: 'blue' }, spec: spread }),
    }),
  );
}

/**
 * On 5,000 nodes, from 1,000 pods of 300 Deployments to 150,000. Measured are pods of one more Deployment (`one`), and
 * pods of the 300 by turns, which is the worst there is for what is kept by shape (`turns`); both also with rules on
 * other pods in half of the Deployments (`oneWithRules`, `turnsWithRules`), and with a Service before each Deployment.
 */
export function growthWithPods(counts: readonly number[], nodeCount = 5000): Growth[] {
  const nodes = makeNodes(nodeCount, ZONES);
  const services = Array.from({ length: DEPLOYMENTS }, (_, i) => makeService('apps', `app-${i}`, { app: `app-${i}` }));
  const one = (): Happening[] =>
    makePods(MEASURED, { ...DEFAULT_POD, name: 'one', namespace: 'apps', labels: { app: 'one' }, owner: 'rs-one' }).map(
      (pod) => ({ pod, counted: true }),
    );
  const turns = (more?: typeof rules): Happening[] =>
    deploymentPods(DEPLOYMENTS, MEASURED, more).map((pod) => ({ pod, counted: true }));
  return counts.map((existing) => {
    const bound = (more?: typeof rules): StoredPod[] =>
      deploymentPods(DEPLOYMENTS, existing, more, (index) => nodes[index % nodes.length]?.metadata.name ?? '');
    return measure(nodeCount, existing, {
      one: () => ({ nodes, services, bound: bound(), measured: one() }),
      turns: () => ({ nodes, services, bound: bound(), measured: turns() }),
      oneWithRules: () => ({ nodes, services, bound: bound(rules), measured: one() }),
      turnsWithRules: () => ({ nodes, services, bound: bound(rules), measured: turns(rules) }),
    });
  });
}

/** Every second Deployment has a rule; the kinds take turns. All of them can be kept with the pods where they are. */
function rules(index: number, labels: Record<string, string>): Partial<Template> {
  const labelSelector = { matchLabels: labels };
  switch (index % 8) {
    case 0:
      return {
        spec: {
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 100, podAffinityTerm: { labelSelector, topologyKey: HOSTNAME_LABEL } },
              ],
            },
          },
        },
      };
    case 2:
      return {
        spec: {
          topologySpreadConstraints: [
            { maxSkew: 100, topologyKey: ZONE_LABEL, whenUnsatisfiable: 'DoNotSchedule', labelSelector },
          ],
        },
      };
    case 4:
      return {
        spec: {
          topologySpreadConstraints: [
            { maxSkew: 1, topologyKey: HOSTNAME_LABEL, whenUnsatisfiable: 'ScheduleAnyway', labelSelector },
          ],
        },
      };
    case 6:
      return {
        spec: {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector, topologyKey: ZONE_LABEL }],
            },
          },
        },
      };
    default:
      return {};
  }
}

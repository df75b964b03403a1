/**
 * A cluster that does what its manifests say: real planner, real workload controllers and scheduler, pods that run as
 * soon as they have a node.
 */
import {
  keyOf,
  parseMilli,
  type KubeObject,
  type ObjectKey,
  type StoredDeployment,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { daemonSetController } from '../../../reconciler/controllers/daemonset.ts';
import { deploymentController } from '../../../reconciler/controllers/deployment.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { replicaSetController } from '../../../reconciler/controllers/replicaset.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { forecastOf } from '../../../reconciler/controllers/forecast/plan-forecast.ts';
import { planLive, stepsOf } from '../../../reconciler/controllers/sync/plan-live.ts';
import type { Plan } from '../../../reconciler/core/diff/index.ts';
import { NOTHING_DESIRED, type Desired } from '../../../reconciler/core/manifests/index.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { topmostKey } from '../../../reconciler/core/kinds/owners.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { controllerOf, ownerKey } from '../../../reconciler/core/workloads/owners.ts';
import { sameTemplate } from '../../../reconciler/core/workloads/template.ts';
import { isActive, isTerminating } from '../../../reconciler/core/workloads/pod-state.ts';
import { running } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { manifests, wanted } from '../diff/states.ts';

const MAX_ROUNDS = 200;

export class Fleet {
  readonly world = new World([deploymentController, replicaSetController(new NodeMonitor()), daemonSetController()]);
  #applied: Desired = NOTHING_DESIRED;

  constructor(...objects: readonly KubeObject[]) {
    for (const object of objects) this.world.put(object);
  }

  plan(...documents: readonly string[]): Plan {
    return finish(planLive(this.world, 'main', this.#applied, wanted(manifests(...documents)))).plan;
  }
  forecast(...documents: readonly string[]): Forecast | undefined {
    return finish(forecastOf(this.plan(...documents), this.world, this.#later));
  }

  /** Carries the plan out until nothing moves any more. */
  apply(...documents: readonly string[]): this {
    this.begin(...documents);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      while (this.#turnOver());
      if (!this.schedule() && !this.#turnOver()) return this;
    }
    throw new Error('the fleet does not come to rest');
  }

  /** Carries the plan out as far as that goes without the scheduler; a minute after whatever was before. */
  begin(...documents: readonly string[]): void {
    this.world.now = this.#later;
    this.world.apply({ steps: stepsOf(this.plan(...documents)) });
    this.#applied = wanted(manifests(...documents));
    while (this.#turnOver());
  }

  /** So many passes of the scheduler, with what follows from each. */
  advance(passes: number): this {
    for (let pass = 0; pass < passes && this.schedule(); pass++) while (this.#turnOver());
    return this;
  }

  /** One pass of the scheduler over all that wait; whether it did anything. */
  schedule(): boolean {
    const { steps } = PendingPods.of(this.world).pass(this.world.now, Infinity);
    this.world.apply({ steps });
    return steps.some((step) => step.do === 'update' || step.do === 'delete');
  }

  pods(): readonly StoredPod[] {
    return this.world.list('Pod').filter(isActive);
  }

  /** `web: n1 x2, n2 x1` for each workload, of all pods or of some; pods without a node as `-`. */
  places(of: (pod: StoredPod) => boolean = () => true): Record<string, string> {
    const counts = new Map<ObjectKey, Map<string, number>>();
    for (const pod of this.pods().filter(of)) {
      const workload = topmostKey(this.world, pod);
      const nodes = counts.get(workload) ?? new Map<string, number>();
      const node = pod.spec.nodeName ?? '-';
      counts.set(workload, nodes.set(node, (nodes.get(node) ?? 0) + 1));
    }
    return Object.fromEntries([...counts].map(([workload, nodes]) => [workload, told(nodes)]));
  }

  /** Pods of a Deployment, those of its present template and those of earlier ones. */
  byTemplate({ metadata, spec }: StoredDeployment): {
    readonly next: readonly StoredPod[];
    readonly old: readonly StoredPod[];
  } {
    const sets = this.world.ownedBy('ReplicaSet', metadata.uid);
    const podsOf = (isNext: boolean): StoredPod[] =>
      sets
        .filter(({ spec: { template } }) => sameTemplate(template, spec.template) === isNext)
        .flatMap((rs) => this.world.ownedBy('Pod', rs.metadata.uid).filter(isActive));
    return { next: podsOf(true), old: podsOf(false) };
  }

  /** Thousandths of a core that the pods on each node ask for. */
  used(): Record<string, number> {
    const used = Object.fromEntries(this.world.list('Node').map(({ metadata }) => [metadata.name, 0]));
    for (const {
      spec: { nodeName, containers },
    } of this.pods()) {
      if (nodeName !== undefined)
        used[nodeName] = (used[nodeName] ?? 0) + parseMilli(containers[0]?.resources.requests?.['cpu'] ?? '0');
    }
    return used;
  }

  get #later(): Date {
    return new Date(this.world.now.getTime() + 60_000);
  }

  /** Nodes start what is bound to them and let go of what is deleted; controllers follow. Whether anything moved. */
  #turnOver(): boolean {
    let moved = false;
    const startTime = this.world.now.toISOString();
    for (const pod of this.world.list('Pod')) {
      if (isTerminating(pod)) this.world.remove(keyOf(pod));
      else if (pod.spec.nodeName !== undefined && pod.status?.phase !== 'Running')
        this.world.put({
          ...pod,
          status: { ...running(pod, true, startTime).status, phase: 'Running', startTime },
        });
      else continue;
      moved = true;
    }
    const owned = this.world.list('ReplicaSet').filter((rs) => rs.metadata.ownerReferences !== undefined);
    for (const rs of owned)
      if (
        !rs.metadata.ownerReferences?.some(({ name }) =>
          this.world.get(`deployments.apps/${rs.metadata.namespace ?? ''}/${name}`),
        )
      )
        this.world.remove(keyOf(rs));
    for (const pod of this.world.list('Pod')) {
      const owner = controllerOf(pod.metadata);
      const key = owner && ownerKey(pod.metadata.namespace, owner);
      if (key && !this.world.get(key)) {
        this.world.remove(keyOf(pod));
        moved = true;
      }
    }
    return this.world.settle() > 0 || moved;
  }
}

/** The forecast in the words of {@link Fleet.places}, of what it places anew. */
export function placesOf(forecast: Forecast | undefined): Record<string, string> {
  return Object.fromEntries(
    (forecast?.placements ?? []).map(({ workload, nodes }) => [
      workload,
      told(new Map(nodes.map(({ node, pods }) => [node, pods]))),
    ]),
  );
}

function told(nodes: ReadonlyMap<string, number>): string {
  return [...nodes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([node, count]) => `${node} x${count}`)
    .join(', ');
}

/** By workload, how many pods get no place, and why. */
export function unplacedOf(forecast: Forecast | undefined): Record<string, string> {
  return Object.fromEntries(
    (forecast?.unplaced ?? []).map(({ workload, pods, of, message }) => [
      workload,
      `${pods} of ${of}: ${message.replace(/gang-\w{10}-/, 'gang-')}`,
    ]),
  );
}

export function outcomeOf(forecast: Forecast | undefined): unknown {
  return forecast && { places: placesOf(forecast), unplaced: unplacedOf(forecast) };
}

/** Faults on a fleet of their own, one after another, and what has to be true after each. */
import assert from 'node:assert/strict';
import type { StoredPod } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from '../e2e/fleet.ts';
import { helloApp, STAY_ON_LOST_NODES } from '../e2e/manifests.ts';
import type { Fault, Scene } from './fault.ts';
import type { Random } from './random.ts';

const APP = 'steady';
const REPLICAS = 3;
const RATE = 20;
/** From the end of the fault until all is as it was. */
const CONVERGED_S = 120;
/** Its pods wait for a lost node, and none is evicted from one whose disk is full. */
const STAYS = `priorityClassName: system-node-critical\n${STAY_ON_LOST_NODES}`;

/** What one fault came to. */
export interface Outcome {
  readonly fault: string;
  /** From the end of the fault until the newest commit was in force and everything healthy, in ms. */
  readonly recoveredMs: number;
  readonly requests: number;
  readonly failedRequests: number;
  /** Containers that are others than before. */
  readonly restarts: number;
  /** What did not hold. */
  readonly broken?: string;
}

/** Three hosts and an app on each, answering. `long`: as `Scene` says. */
export async function startScene(random: Random, long = false): Promise<Scene> {
  const fleet = await Fleet.start({
    name: 'chaos',
    subnet: '198.18.24.0/24',
    podCIDR: '198.19.0.0/20',
    serviceCIDR: '198.19.16.0/20',
    nodes: 3,
  });
  try {
    await fleet.write(`apps/${APP}.yaml`, helloApp({ name: APP, replicas: REPLICAS, pod: STAYS }));
    await fleet.commitAndPush('Run an app');
    await fleet.podsReady(APP, REPLICAS);
  } catch (error) {
    await fleet.close();
    throw error;
  }
  return {
    fleet,
    random,
    hosts: fleet.lab.nodes.map(({ name }) => name).slice(1),
    app: APP,
    replicas: REPLICAS,
    long,
  };
}

/**
 * Does one fault under load and looks at what came of it. Never rejects for what did not hold: that is in the outcome.
 */
export async function inflict(fault: Fault, scene: Scene): Promise<Outcome> {
  const { fleet } = scene;
  const before = containers(await fleet.podsReady(APP, REPLICAS));
  const load = await fleet.load('node-1', `http://${await fleet.clusterIP(APP)}/`, RATE);
  let broken: string | undefined;
  let began = performance.now();
  try {
    try {
      await fault.run(scene);
    } finally {
      began = performance.now();
    }
    await converged(scene);
  } catch (error) {
    broken = wordsOf(error);
  }
  const recoveredMs = Math.round(performance.now() - began);
  const { sent, failures } = await load.stop();
  const after = await eventually('the pods after it', CONVERGED_S, async () => containers(await fleet.pods(APP))).catch(
    () => new Set<string>(),
  );
  const restarts = [...after].filter((container) => !before.has(container)).length;
  if (broken === undefined && restarts > 0 && !fault.mayRestart)
    broken = `${restarts} containers are others than before: ${[...after].filter((container) => !before.has(container)).join(', ')}`;
  if (broken === undefined && failures.length > 0 && !fault.mayFailRequests)
    broken = `${failures.length} of ${sent} requests failed, the first: ${failures[0]?.startedAt} ${failures[0]?.failure}`;
  return {
    fault: fault.name,
    recoveredMs,
    requests: sent,
    failedRequests: failures.length,
    restarts,
    ...(broken !== undefined && { broken }),
  };
}

/** The newest commit is in force and healthy, every pod runs once, and nothing is there that no commit asks for. */
async function converged(scene: Scene): Promise<void> {
  const { fleet } = scene;
  await eventually(
    'the newest commit is in force and healthy',
    CONVERGED_S,
    async () => (await fleet.plumb('status', '--wait', '--timeout', '20')).code === 0,
  );
  await eventually('all that a commit asks for runs once, and nothing else', CONVERGED_S, async () => {
    await nothingElse(scene);
    return true;
  });
}

async function nothingElse({ fleet }: Scene): Promise<void> {
  const pods = await fleet.podsReady(APP, REPLICAS, { seconds: 0 });
  const strangers = [
    ...(await fleet.list('Deployment')),
    ...(await fleet.list('ReplicaSet')),
    ...(await fleet.list('Pod')),
  ].filter(({ metadata }) => metadata.labels?.['app'] !== APP && !metadata.name.startsWith(APP));
  assert.deepEqual(
    strangers.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    [],
  );
  for (const { name } of fleet.lab.nodes) {
    const tasks = (await fleet.on(name, ['ctr', '--namespace', 'k8s.io', 'tasks', 'ls', '--quiet'])).stdout
      .split('\n')
      .filter((line) => line !== '');
    const told = pods.filter(({ spec }) => spec.nodeName === name).flatMap(containerIds);
    assert.equal(tasks.length, 2 * told.length, `tasks on ${name}: a sandbox and a container for each of its pods`);
    // A host that came back within seconds runs others than its last report says.
    assert.deepEqual(
      told.filter((id) => !tasks.includes(id)),
      [],
      `containers that ${name} is said to run and does not`,
    );
  }
}

/** Its containers' ids as the runtime has them. */
function containerIds({ status }: StoredPod): readonly string[] {
  return (status?.containerStatuses ?? []).map(({ containerID }) => (containerID ?? '').replace('containerd://', ''));
}

function containers(pods: readonly StoredPod[]): Set<string> {
  return new Set(
    pods.flatMap(({ metadata, status }) =>
      (status?.containerStatuses ?? []).map(
        ({ containerID, restartCount }) => `${metadata.name}/${metadata.uid} ${containerID ?? 'none'} ${restartCount}`,
      ),
    ),
  );
}

function wordsOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message.slice(0, 300)})` : message;
}

/** Median and worst of each fault, for people. */
export function summary(outcomes: readonly Outcome[]): {
  readonly fault: string;
  readonly runs: number;
  readonly medianMs: number;
  readonly worstMs: number;
  readonly failedRequests: number;
  readonly restarts: number;
  readonly broken: number;
}[] {
  return [...new Set(outcomes.map(({ fault }) => fault))].map((fault) => {
    const runs = outcomes.filter((outcome) => outcome.fault === fault);
    const times = runs.map(({ recoveredMs }) => recoveredMs).sort((a, b) => a - b);
    const sum = (of: (outcome: Outcome) => number): number => runs.reduce((total, outcome) => total + of(outcome), 0);
    return {
      fault,
      runs: runs.length,
      medianMs: times[Math.floor((times.length - 1) / 2)] ?? 0,
      worstMs: times.at(-1) ?? 0,
      failedRequests: sum((o) => o.failedRequests),
      restarts: sum((o) => o.restarts),
      broken: sum((o) => Number(o.broken !== undefined)),
    };
  });
}

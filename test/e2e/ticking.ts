/**
 * A clock that is set under a fleet. Pods whose liveness probes count themselves tell how fast a node probes by how often
 * another one did meanwhile: no clock is asked.
 */
import assert from 'node:assert/strict';
import { eventually, type Fleet } from './fleet.ts';

export const TICKING = 'ticking';
const HOUR_SECONDS = 3600;
/** Probes of each pod that make a comparison. */
const ROUNDS = 5;
/** From when its probe begins to fail a container is killed after so many. */
const FAILURES = 3;
const PATIENCE = 300;

/** A pod on `node` whose liveness probe leaves a byte each second, and fails once there is a file /tmp/ill. */
export function tickingPod(name: string, node: string): string {
  const probe = 'printf . >> /tmp/probes; test ! -e /tmp/ill';
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${TICKING}}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: registry.lab/hello:1
      command: [sleep, "36000"]
      resources: {requests: {cpu: 5m, memory: 4Mi}}
      livenessProbe: {exec: {command: [sh, -c, "${probe}"]}, periodSeconds: 1, failureThreshold: ${FAILURES}, timeoutSeconds: 10}
`;
}

/** Two pods: `set` on a node whose time is set, or which is spoken to by a control plane whose time is; `other` elsewhere. */
export interface Ticking {
  readonly set: string;
  readonly other: string;
  /** One node that probes at its pace may be this many times slower or faster than another, as machines are busy. */
  readonly slack: number;
}

async function inPod(fleet: Fleet, pod: string, ...command: string[]): Promise<string> {
  const ran = await fleet.plumb('exec', pod, '--', ...command);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout;
}

async function probesOf(fleet: Fleet, pod: string): Promise<number> {
  return Number(await inPod(fleet, pod, 'stat', '-c', '%s', '/tmp/probes'));
}

/** Resolves when both were probed some times more, with how often each was. */
async function probed(fleet: Fleet, { set, other }: Ticking): Promise<readonly [set: number, other: number]> {
  const counts = async (): Promise<readonly [number, number]> => [
    await probesOf(fleet, set),
    await probesOf(fleet, other),
  ];
  const [setBefore, otherBefore] = await counts();
  return eventually('both are probed', PATIENCE, async () => {
    const [setNow, otherNow] = await counts();
    const more = [setNow - setBefore, otherNow - otherBefore] as const;
    return Math.min(...more) >= ROUNDS && more;
  });
}

/**
 * What is the same whatever the clocks show: pods and their containers, but for those of Jobs, and that nodes are heard
 * without a break.
 */
async function standing(fleet: Fleet): Promise<unknown> {
  const pods = (await fleet.list('Pod')).filter(({ metadata }) => metadata.labels?.['job-name'] === undefined);
  const nodes = await fleet.list('Node');
  return {
    pods: pods.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      ends: metadata.deletionTimestamp,
      node: spec.nodeName,
      containers: status?.containerStatuses?.map((s) => [s.containerID, s.restartCount, s.ready]),
    })),
    nodes: nodes.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      taints: spec.taints,
      ready: status?.conditions?.filter(({ type }) => type === 'Ready').map((c) => [c.status, c.lastTransitionTime]),
    })),
  };
}

/**
 * Sets a clock an hour forward and an hour back, by `set` (seconds off the truth), and looks each time: nothing ends, no
 * node is taken for silent, probes keep their pace, and with the clock back one that fails is noticed in as many probes
 * as it takes anywhere. `look` looks at more: with the clock forward, and with it back. Sets it right at the end, also
 * when it throws.
 */
export async function setClock(
  fleet: Fleet,
  pods: Ticking,
  set: (seconds: number) => Promise<void>,
  look: (seconds: number) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await fleet.podsReady(TICKING, 2, { seconds: PATIENCE });
  for (const pod of [pods.set, pods.other]) await eventually(`${pod} is probed`, 60, () => probesOf(fleet, pod));
  const before = await standing(fleet);
  try {
    for (const seconds of [HOUR_SECONDS, -HOUR_SECONDS]) {
      await set(seconds);
      const [ofSet, ofOther] = await probed(fleet, pods);
      assert.ok(
        Math.max(ofSet, ofOther) <= Math.min(ofSet, ofOther) * pods.slack,
        `set by ${seconds} s: ${ofSet} probes while another node made ${ofOther}`,
      );
      assert.deepEqual(await standing(fleet), before);
      await look(seconds);
    }
    await inPod(fleet, pods.set, 'touch', '/tmp/ill');
    const counted = await probesOf(fleet, pods.other);
    await eventually('the container whose probe fails is another', PATIENCE, async () =>
      (await fleet.pods(TICKING)).some(
        ({ metadata, status }) => metadata.name === pods.set && status?.containerStatuses?.[0]?.restartCount === 1,
      ),
    );
    const rounds = (await probesOf(fleet, pods.other)) - counted;
    assert.ok(rounds <= (FAILURES + ROUNDS) * pods.slack, `it took ${rounds} probes of another node`);
  } finally {
    await set(0);
  }
}

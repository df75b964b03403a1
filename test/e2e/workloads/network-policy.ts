/**
 * Network policy on three hosts: nine pods in three namespaces, and which of their connections are let through under each of the policies of
 * unit/network/policy-cases.ts. Subjects: kubernetes/test/e2e/network/netpol.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startReacher, type Reacher } from '../../support/reach.ts';
import { POLICY_CASES, type PolicyCase } from '../../unit/network/policy-cases.ts';
import { eventually, type Fleet } from '../fleet.ts';
import { podPlaces } from '../pod-places.ts';
import type { Theme } from './theme.ts';

const SPACES = ['x', 'y', 'z'] as const;
const NAMES = ['a', 'b', 'c'] as const;
const PORTS = [80, 81] as const;
const TARGETS = (['TCP', 'UDP'] as const).flatMap((protocol) => PORTS.map((port) => ({ protocol, port })));
/** Long enough for an answer on a busy machine; what is dropped takes it wholly. */
const PATIENCE_MS = 400;
const SECONDS = 60;

interface Pod {
  /** `x/a` */
  readonly name: string;
  readonly node: string;
  readonly address: string;
  readonly reacher: Reacher;
}

export const networkPolicies: Theme = (fleet) => {
  let begun: Promise<readonly Pod[]> | undefined;
  const pods = (): Promise<readonly Pod[]> => (begun ??= begin(fleet()));

  const put = async (one: Pick<PolicyCase, 'name' | 'policies' | 'pods' | 'spaces'>): Promise<void> => {
    await fleet().write('netpol/pods.yaml', list(podManifests(fleet(), one.pods)));
    await fleet().write('netpol/spaces.yaml', list(spaceManifests(one.spaces)));
    await fleet().write('netpol/policies.yaml', list(policyManifests(one)));
    await fleet().commitAndPush(`Policies: ${one.name}`);
  };
  /** Twice running, so that none is right by chance on the way. */
  const holds = async (allows: PolicyCase['allows']): Promise<void> => {
    const all = await pods();
    let last: readonly string[] = [];
    await eventually('connections are as the policies say', SECONDS, async () => {
      last = await wrong(all, (connection) => allows(connection));
      if (last.length === 0) last = await wrong(all, (connection) => allows(connection));
      return last.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${last.slice(0, 20).join('\n')}`);
    });
  };

  it('policy: a pod sends nothing before it is closed, from its first process on', async () => {
    const all = await pods();
    const target = all.find(({ name }) => name === 'y/a');
    assert.ok(target);
    await put({
      name: 'close what begins',
      policies: [['x', { podSelector: { matchLabels: { app: 'early' } }, policyTypes: ['Egress'] }]],
    });
    const early = Array.from({ length: 12 }, (_, i) => earlyPod(`early-${i}`, target.address));
    const open = Array.from({ length: 3 }, (_, i) => earlyPod(`open-${i}`, target.address, 'open'));
    await fleet().write('netpol/early.yaml', list([...early, ...open]));
    await fleet().commitAndPush('Begin pods that send at once');
    const ended = await eventually('all of them have tried', SECONDS, async () => {
      const tried = (await fleet().list('Pod', 'x')).filter(({ metadata }) => /^(early|open)-/.test(metadata.name));
      return tried.length === 15 && tried.every(({ status }) => status?.phase === 'Succeeded') && tried;
    });
    for (const { metadata, status } of ended) {
      const said = status?.containerStatuses?.[0]?.state.terminated?.message ?? '';
      assert.equal(said.includes('reached'), metadata.name.startsWith('open-'), `${metadata.name}: ${said}`);
    }
    await fleet().removeFiles('netpol/early.yaml');
  });

  it('policy: all of it goes on while the control plane is away', async () => {
    const closed = POLICY_CASES.find(({ name }) => name === 'takes from a pod of another namespace');
    assert.ok(closed);
    await put(closed);
    await holds((connection) => closed.allows(connection));
    await fleet().stopControlPlane();
    try {
      for (const { name } of fleet().lab.nodes) await fleet().on(name, ['nft', 'delete', 'table', 'ip', 'plumbline']);
      await holds((connection) => closed.allows(connection));
    } finally {
      await fleet().startControlPlane();
    }
    await holds((connection) => closed.allows(connection));
  });

  for (const one of POLICY_CASES)
    it(`policy: ${one.name}`, async () => {
      await pods();
      await put(one);
      await holds((connection) => one.allows(connection));
    });

  it('policy: explain tells which policies select a pod', async () => {
    await pods();
    await put({ name: 'one to be told', policies: [['x', {}]] });
    await eventually('it is told', SECONDS, async () => {
      const { stdout } = await fleet().plumb('explain', 'pod/a', '-n', 'x');
      return /policy +policy-0: ingress only as it allows/.test(stdout);
    });
    await Promise.all((await pods()).map(({ reacher }) => reacher.close()));
    await fleet().removeFiles('netpol');
  });
};

async function begin(fleet: Fleet): Promise<readonly Pod[]> {
  await fleet.write('netpol/spaces.yaml', list(spaceManifests()));
  await fleet.write('netpol/pods.yaml', list(podManifests(fleet)));
  await fleet.commitAndPush('Nine pods in three namespaces');
  const placed = await eventually('nine pods run', SECONDS, async () => {
    const all = (await Promise.all(SPACES.map((space) => fleet.list('Pod', space)))).flat();
    const running = all.filter(({ status }) => status?.phase === 'Running' && status.podIP !== undefined);
    return running.length === 9 && running;
  });
  const places = await podPlaces(fleet);
  return Promise.all(
    placed.map(async ({ metadata, spec, status }): Promise<Pod> => {
      const address = status?.podIP ?? '';
      const reacher = await startReacher(['nsenter', `--net=${places.get(address) ?? ''}`], PORTS);
      return { name: `${metadata.namespace}/${metadata.name}`, node: spec.nodeName ?? '', address, reacher };
    }),
  );
}

async function wrong(pods: readonly Pod[], allows: PolicyCase['allows']): Promise<readonly string[]> {
  const found = await Promise.all(
    pods.map(async (from) => {
      const connections = pods
        .filter((to) => to !== from)
        .flatMap((to) => TARGETS.map((target) => ({ from: from.name, to: to.name, address: to.address, ...target })));
      const targets = connections.map(({ address, protocol, port }) => [address, protocol, port] as const);
      const reached = await from.reacher.reaches(targets, PATIENCE_MS);
      return connections.flatMap((one, i) =>
        reached[i] === allows(one)
          ? []
          : [`${one.from} to ${one.to} ${one.protocol} ${one.port}: ${String(reached[i])}`],
      );
    }),
  );
  return found.flat();
}

/** A file of several objects. */
function list(items: readonly object[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join('---\n');
}

function spaceManifests(labels: PolicyCase['spaces'] = {}): readonly object[] {
  return SPACES.map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: labels[name] ?? { ns: name } },
  }));
}

const RESOURCES = { requests: { cpu: '5m', memory: '4Mi' } };

/** One of each name on each of the hosts. */
function podManifests(fleet: Fleet, labels: PolicyCase['pods'] = {}): readonly object[] {
  const ports = TARGETS.map(({ protocol, port }) => ({
    name: `serve-${port}-${protocol.toLowerCase()}`,
    containerPort: port,
    protocol,
  }));
  return SPACES.flatMap((namespace, i) =>
    NAMES.map((name, j) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: labels[`${namespace}/${name}`] ?? { pod: name } },
      spec: {
        nodeName: fleet.lab.nodes[(i + j) % 3]?.name,
        terminationGracePeriodSeconds: 1,
        containers: [
          { name: 'main', image: 'registry.lab/busybox:1', command: ['sleep', '36000'], ports, resources: RESOURCES },
        ],
      },
    })),
  );
}

function policyManifests({ policies }: Pick<PolicyCase, 'policies'>): readonly object[] {
  return policies.map(([namespace, spec], i) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `policy-${i}`, namespace },
    spec,
  }));
}

/** Tries to connect as the first thing that it does, for a second, and says whether it reached. */
function earlyPod(name: string, address: string, app = 'early'): object {
  const attempt = `for i in 1 2 3 4 5 6; do nc -w 1 ${address} 80 </dev/null >/dev/null 2>&1 && echo reached >>/dev/termination-log; done; true`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'x', labels: { app } },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      containers: [
        { name: 'main', image: 'registry.lab/busybox:1', command: ['sh', '-c', attempt], resources: RESOURCES },
      ],
    },
  };
}

/**
 * The main job on real parts: three hosts, real containerd, sshd, Redis, Git and nftables. PLUMB_E2E_REPEAT=N runs
 * every test N times on one fleet.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StoredOf } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from './fleet.ts';
import { helloApp, LEAVE_LOST_NODES_SOON } from './manifests.ts';
import { loseStore } from './redis.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
const NODES = ['node-1', 'node-2', 'node-3'] as const;
type Pod = StoredOf<'Pod'>;

/** What must not change when nothing may be restarted. */
function identities(pods: readonly Pod[]): readonly string[] {
  return pods
    .flatMap((pod) =>
      (pod.status?.containerStatuses ?? []).map(
        (c) => `${pod.metadata.name} ${pod.metadata.uid} ${pod.spec.nodeName} ${c.containerID} ${c.restartCount}`,
      ),
    )
    .sort();
}

function firstPod(pods: readonly Pod[]): Pod & { readonly spec: { readonly nodeName: string } } {
  const [pod] = pods;
  assert.ok(pod?.spec.nodeName, 'a pod that is bound to a node');
  return pod as Pod & { readonly spec: { readonly nodeName: string } };
}

describe('the main job', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({
      name: 'e2e',
      subnet: '198.18.16.0/24',
      podCIDR: '198.18.192.0/18',
      serviceCIDR: '198.19.64.0/18',
      nodes: 3,
    });
  });
  after(async () => {
    await fleet?.close();
  });

  async function goneFromNodes(app: string): Promise<void> {
    await eventually(`nothing of ${app} is left`, 60, async () => {
      const [pods, deployments, sets, services, slices] = await Promise.all([
        fleet.pods(app),
        fleet.list('Deployment'),
        fleet.list('ReplicaSet'),
        fleet.list('Service'),
        fleet.list('EndpointSlice'),
      ]);
      const rest = [...deployments, ...sets, ...services, ...slices].filter(
        (o) => o.metadata.name === app || o.metadata.name.startsWith(`${app}-`),
      );
      return pods.length === 0 && rest.length === 0;
    });
  }

  for (let round = 1; round <= REPEAT; round += 1) {
    const app = (name: string): string => `${name}-${round}`;
    const file = (name: string): string => `apps/${app(name)}.yaml`;

    describe(`round ${round}`, () => {
      it('runs what is pushed on several hosts, reached through the ClusterIP from every host and from a pod', async () => {
        await fleet.write(file('web'), helloApp({ name: app('web'), replicas: 3 }));
        await fleet.commitAndPush('Add web');
        const pods = await fleet.podsReady(app('web'), 3);
        assert.ok(new Set(pods.map((p) => p.spec.nodeName)).size >= 2, 'pods on at least two hosts');

        const url = `http://${await fleet.clusterIP(app('web'))}/`;
        for (const node of NODES) {
          const answer = await eventually(`an answer on ${node}`, 30, () => fleet.httpFrom(node, url));
          assert.match(answer, /hello from v1, pod web-/);
        }
        for (const pod of pods) {
          const asked = await fleet.plumb('exec', pod.metadata.name, '--', 'wget', '-q', '-O', '-', url);
          assert.equal(asked.code, 0, asked.stderr);
          assert.match(asked.stdout, /hello from v1, pod web-/);
        }
        const status = await fleet.plumb('status', '--wait', '--timeout', '30');
        assert.equal(status.code, 0, status.stdout + status.stderr);
      });

      it('rolls to a new image without a failed request under steady load from another host', async () => {
        const load = await fleet.load('node-1', `http://${await fleet.clusterIP(app('web'))}/`, 50);
        await fleet.write(file('web'), helloApp({ name: app('web'), replicas: 3, version: '2' }));
        await fleet.commitAndPush('web: version 2');
        await fleet.podsReady(app('web'), 3, { image: 'registry.lab/hello:2' });
        const result = await load.stop();
        assert.deepEqual(result.failures, []);
        assert.ok(
          (result.answers['v1'] ?? 0) > 0 && (result.answers['v2'] ?? 0) > 0,
          `both versions answered: ${JSON.stringify(result.answers)}`,
        );
      });

      it('rolls back when the commit is reverted', async () => {
        await fleet.git(['revert', '--no-edit', 'HEAD']);
        const pushed = await fleet.push();
        assert.equal(pushed.code, 0, pushed.stderr);
        await fleet.podsReady(app('web'), 3, { image: 'registry.lab/hello:1' });
        const answer = await fleet.httpFrom('node-2', `http://${await fleet.clusterIP(app('web'))}/`);
        assert.match(answer ?? '', /hello from v1/);
        const history = await fleet.plumb('history', '-o', 'json');
        assert.equal(history.code, 0, history.stderr);
        assert.match(history.stdout, /Revert/);
      });

      it('restarts a killed container with back-off', async () => {
        const before = firstPod(await fleet.podsReady(app('web'), 3));
        const kill = async (restarts: number): Promise<void> => {
          await eventually(`container killed after ${restarts} restarts`, 30, async () => {
            const pod = (await fleet.pods(app('web'))).find((p) => p.metadata.name === before.metadata.name);
            const status = pod?.status?.containerStatuses?.[0];
            if (status?.restartCount !== restarts || !status.state.running || !status.containerID) return false;
            const id = status.containerID.replace('containerd://', '');
            return (
              (await fleet.on(before.spec.nodeName, ['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', id]))
                .code === 0
            );
          });
        };
        await kill(0);
        const once = await eventually('restarted once', 30, async () => {
          const pod = (await fleet.pods(app('web'))).find((p) => p.metadata.name === before.metadata.name);
          const status = pod?.status?.containerStatuses?.[0];
          return status?.restartCount === 1 && status.state.running && status;
        });
        assert.equal(once.lastState.terminated?.exitCode, 137);
        await kill(1);
        await eventually('waiting in CrashLoopBackOff', 15, async () => {
          const pod = (await fleet.pods(app('web'))).find((p) => p.metadata.name === before.metadata.name);
          return pod?.status?.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff';
        });
        const pods = await fleet.podsReady(app('web'), 3, { seconds: 40 });
        assert.ok(
          pods.some(
            (p) => p.metadata.uid === before.metadata.uid && p.status?.containerStatuses?.[0]?.restartCount === 2,
          ),
        );
      });

      it('changes nothing on a bad commit, and says why where it stands', async () => {
        const before = identities(await fleet.podsReady(app('web'), 3));
        const head = (await fleet.git(['rev-parse', 'HEAD'])).stdout.trim();
        await fleet.write(
          file('web'),
          helloApp({ name: app('web'), replicas: 3, version: '2' }).replace('replicas: 3', 'replica: 3'),
        );
        await fleet.commit('A typo');
        const refused = await fleet.push();
        assert.notEqual(refused.code, 0);
        assert.match(refused.stderr, new RegExp(`apps/${app('web')}\\.yaml:6:3 UnknownField .*did you mean replicas`));

        // The same commit past the hook: the control plane refuses it too.
        const bad = (await fleet.git(['rev-parse', 'HEAD'])).stdout.trim();
        await fleet.git(['push', '-q', '--no-verify', 'origin', 'HEAD:refs/heads/elsewhere']);
        await fleet.git(['update-ref', 'refs/heads/main', bad], fleet.repo);
        try {
          const why = await eventually('status tells', 40, async () => {
            const status = await fleet.plumb('status');
            return status.code === 1 && status.stdout.includes('UnknownField') && status.stdout;
          });
          assert.match(why, /web-\d+\.yaml:6:3/);
          assert.deepEqual(identities(await fleet.podsReady(app('web'), 3)), before);
        } finally {
          await fleet.git(['update-ref', 'refs/heads/main', head], fleet.repo);
          await fleet.git(['push', '-q', 'origin', ':refs/heads/elsewhere']);
          await fleet.git(['reset', '-q', '--hard', head]);
        }
        await eventually('status is good again', 40, async () => (await fleet.plumb('status')).code === 0);
      });

      it('keeps containers and Services going without the control plane, and restarts nothing when it comes back', async () => {
        const pods = await fleet.podsReady(app('web'), 3);
        const url = `http://${await fleet.clusterIP(app('web'))}/`;
        const victim = pods.find((p) => p.status?.containerStatuses?.[0]?.restartCount === 0);
        assert.ok(victim?.spec.nodeName);
        const node = victim.spec.nodeName;
        const running = async (): Promise<readonly string[]> => {
          const reports = (await Promise.all(NODES.map((n) => fleet.podsOn(n)))).flat();
          return reports
            .flatMap((p) =>
              (p.status?.containerStatuses ?? []).map((c) => `${p.name} ${c.containerID} ${c.restartCount}`),
            )
            .sort();
        };
        let alone: readonly string[];
        await fleet.stopControlPlane();
        try {
          const id = victim.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '';
          assert.equal((await fleet.on(node, ['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', id])).code, 0);
          await eventually('the agent restarted it alone', 30, async () => {
            const status = (await fleet.podsOn(node)).find((r) => r.uid === victim.metadata.uid)?.status;
            return (
              status?.containerStatuses?.[0]?.restartCount === 1 &&
              status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')
            );
          });
          for (const from of NODES) assert.match((await fleet.httpFrom(from, url)) ?? '', /hello from v1/);
          alone = await running();
        } finally {
          await fleet.startControlPlane();
        }
        await fleet.nodesReady(NODES);
        const status = await fleet.plumb('status', '--wait', '--timeout', '60');
        assert.equal(status.code, 0, status.stdout + status.stderr);
        assert.deepEqual(await running(), alone);
      });

      it('rebuilds all state after FLUSHALL without restarting a container', async () => {
        const before = identities(await fleet.podsReady(app('web'), 3));
        const address = await fleet.clusterIP(app('web'));
        await loseStore(fleet);
        await eventually('all state is rebuilt', 60, async () => {
          const status = await fleet.plumb('status');
          return (
            status.code === 0 &&
            (await fleet.clusterIP(app('web'))) === address &&
            (await fleet.pods(app('web'))).length === 3
          );
        });
        assert.deepEqual(identities(await fleet.podsReady(app('web'), 3)), before);
        // And it works on: a change still arrives.
        await fleet.write(file('web'), helloApp({ name: app('web'), replicas: 4 }));
        await fleet.commitAndPush('web: four');
        await fleet.podsReady(app('web'), 4);
      });

      it('brings the pods of a powered-off host back elsewhere, and the host has no doubles when it returns', async () => {
        await fleet.write(file('away'), helloApp({ name: app('away'), replicas: 4, pod: LEAVE_LOST_NODES_SOON }));
        await fleet.commitAndPush('Add away');
        const before = await fleet.podsReady(app('away'), 4);
        const lost = firstPod(before).spec.nodeName;
        await fleet.powerOff(lost);
        try {
          await eventually('four pods Ready elsewhere', 90, async () => {
            const ready = (await fleet.pods(app('away'))).filter(
              (p) =>
                p.spec.nodeName !== lost &&
                !p.metadata.deletionTimestamp &&
                p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
            );
            return ready.length === 4;
          });
          const other = NODES.find((n) => n !== lost) ?? 'node-1';
          const url = `http://${await fleet.clusterIP(app('away'))}/`;
          for (let i = 0; i < 10; i += 1) assert.match((await fleet.httpFrom(other, url)) ?? '', /hello from v1/);
        } finally {
          await fleet.powerOn(lost);
        }
        await fleet.nodesReady([lost]);
        await fleet.podsReady(app('away'), 4, { seconds: 60 });
        await eventually(`${lost} runs only what it is assigned`, 60, async () => {
          const assigned = new Set(
            (await fleet.list('Pod')).filter((p) => p.spec.nodeName === lost).map((p) => p.metadata.uid),
          );
          const listed = await fleet.on(lost, ['ctr', '-n', 'k8s.io', 'tasks', 'list', '-q']);
          const here = (await fleet.podsOn(lost)).filter((p) => !p.gone);
          return (
            here.every((p) => assigned.has(p.uid)) &&
            here.length === assigned.size &&
            listed.stdout.trim().split('\n').filter(Boolean).length === 2 * assigned.size
          );
        });
        await fleet.removeFiles(file('away'));
        await goneFromNodes(app('away'));
      });

      it('removes what is removed from the repository', async () => {
        await fleet.removeFiles(file('web'));
        await goneFromNodes(app('web'));
        for (const node of NODES) {
          await eventually(`no container is left on ${node}`, 40, async () => {
            const listed = await fleet.on(node, ['ctr', '-n', 'k8s.io', 'containers', 'list', '-q']);
            return listed.code === 0 && listed.stdout.trim() === '';
          });
        }
      });
    });
  }
});

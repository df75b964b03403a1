/** The faults, each with the promise that it tries. To add one: an entry here. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type Fleet } from '../e2e/fleet.ts';
import { loseStore, withRedis } from '../e2e/redis.ts';
import { snapshotOf } from '../support/redis-snapshot.ts';
import { clockOfANode, clockOfControlPlane } from './clocks.ts';
import { fullDisk } from './full-disk.ts';
import { lasts, lastsFor, type Fault, type Scene } from './fault.ts';
import { lyingNode, endlessAnswers } from './fake-agent.ts';

async function agentPid(fleet: Fleet, node: string): Promise<number> {
  return (await fleet.agent(node)).pid;
}

async function signalled(fleet: Fleet, node: string, signal: string, pid: number): Promise<void> {
  const sent = await fleet.on(node, ['kill', `-${signal}`, String(pid)]);
  assert.equal(sent.code, 0, sent.stderr);
}

/** Process id in the host of the runtime's daemon. */
async function runtimePid(fleet: Fleet, node: string): Promise<number> {
  const found = await fleet.on(node, ['pidof', 'containerd']);
  assert.equal(found.code, 0, `no containerd on ${node}`);
  return Number(found.stdout.trim().split(' ')[0]);
}

/** Rollouts and lost hosts may have left a host without one. */
async function somePod({ fleet, app, random }: Scene): Promise<{ readonly name: string; readonly node: string }> {
  const placed = (await fleet.pods(app)).flatMap(({ metadata: { name, deletionTimestamp }, spec }) =>
    spec.nodeName === undefined || deletionTimestamp !== undefined ? [] : [{ name, node: spec.nodeName }],
  );
  assert.ok(placed.length > 0, `no pod of ${app} on any host`);
  return random.pick(placed);
}

const emptied: Fault = {
  name: 'redis-emptied',
  holds: 'everything is rebuilt from Git and the nodes, and no container is restarted',
  async run({ fleet }) {
    await loseStore(fleet);
  },
};

const olderData: Fault = {
  name: 'redis-older-data',
  holds: 'a Redis that came back from an older snapshot is noticed and rebuilt, and no container is restarted',
  async run({ fleet }) {
    await withRedis(fleet, async (redis) => {
      const restore = await snapshotOf(redis);
      // Something has to happen that the snapshot does not know.
      await fleet.write(
        'apps/marker.yaml',
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: marker}\ndata: {at: "${Date.now()}"}\n`,
      );
      await fleet.commitAndPush('Change something after the snapshot');
      const wanted = /at: "(\d+)"/.exec(await readFile(`${fleet.checkout}/apps/marker.yaml`, 'utf8'))?.[1];
      const shown = async (): Promise<boolean> =>
        (await fleet.list('ConfigMap')).some(
          ({ metadata, data }) => metadata.name === 'marker' && data?.['at'] === wanted,
        );
      await eventually('the change is in force', 30, shown);
      await loseStore(fleet, restore);
      await eventually('the change is in force again', 60, shown);
    });
  },
};

/** Seconds. */
const WITHOUT_WRITES = { short: [3, 10], long: 60 } as const;

const readOnly: Fault = {
  name: 'redis-read-only',
  holds:
    'a Redis that refuses writes for a while, and changes its role under blocked clients, as in a failover, loses nothing',
  async run(scene) {
    await withRedis(scene.fleet, async (redis) => {
      // A replica of nobody: it keeps its data, and refuses writes.
      await redis.replicaof('127.0.0.1', 1);
      try {
        await lastsFor(scene, WITHOUT_WRITES);
      } finally {
        await redis.replicaof('NO', 'ONE');
      }
    });
  },
};

const outOfMemory: Fault = {
  name: 'redis-out-of-memory',
  holds: 'a Redis without memory is asked again, and nothing is lost',
  async run(scene) {
    await withRedis(scene.fleet, async (redis) => {
      await redis.config('SET', 'maxmemory', '1');
      try {
        await lastsFor(scene, WITHOUT_WRITES);
      } finally {
        await redis.config('SET', 'maxmemory', '0');
      }
    });
  },
};

const failsToSave: Fault = {
  name: 'redis-fails-to-save',
  holds: 'a Redis that refuses writes because it cannot save is asked again, and nothing is lost',
  async run(scene) {
    await withRedis(scene.fleet, async (redis) => {
      const setting = async (name: string): Promise<string> => {
        const [, value] = (await redis.call('CONFIG', 'GET', name)) as string[];
        return value ?? assert.fail(`no setting ${name}`);
      };
      const save = await setting('save');
      // What it saves is to take the place of this, which a file cannot.
      const inTheWay = join(await setting('dir'), await setting('dbfilename'));
      await mkdir(inTheWay);
      try {
        await redis.config('SET', 'save', '3600 1');
        // A child of its own may be at work: then it saves behind that.
        await redis.bgsave('SCHEDULE');
        await eventually('a save failed', 30, async () =>
          (await redis.info('persistence')).includes('rdb_last_bgsave_status:err'),
        );
        await lastsFor(scene, WITHOUT_WRITES);
      } finally {
        await redis.config('SET', 'save', save);
        await rmdir(inTheWay);
      }
    });
  },
};

const controlPlaneKilled: Fault = {
  name: 'control-plane-killed',
  holds: 'a control plane that is killed and started again restarts nothing',
  async run({ fleet, random }) {
    await fleet.stopControlPlane('SIGKILL');
    try {
      await lasts(random.between(0, 5));
    } finally {
      await fleet.startControlPlane();
    }
  },
};

const killedMidRollout: Fault = {
  name: 'control-plane-killed-mid-rollout',
  holds: 'a control plane that is killed in the middle of a rollout fails no request',
  mayRestart: true,
  async run({ fleet, random, app }) {
    const file = `${fleet.checkout}/apps/${app}.yaml`;
    const text = await readFile(file, 'utf8');
    const version = /hello:(\d)/.exec(text)?.[1] === '1' ? '2' : '1';
    await fleet.write(`apps/${app}.yaml`, text.replace(/hello:\d/, `hello:${version}`));
    await fleet.commitAndPush(`Version ${version}`);
    await lasts(random.between(0, 40) / 10);
    await fleet.stopControlPlane('SIGKILL');
    try {
      await lasts(random.between(0, 2));
    } finally {
      await fleet.startControlPlane();
    }
    await eventually(`all run version ${version}`, 60, async () => {
      const pods = await fleet.pods(app);
      return pods.every(
        ({ spec, metadata }) =>
          metadata.deletionTimestamp === undefined && spec.containers[0]?.image.endsWith(`:${version}`),
      );
    });
  },
};

const silentAcrossRestart: Fault = {
  name: 'control-plane-restarts-while-a-node-is-silent',
  holds: 'the pods of a node that is silent while the control plane restarts keep their uids',
  mayFailRequests: true,
  async run(scene) {
    const { fleet, random, hosts } = scene;
    const node = random.pick(hosts);
    await fleet.partition(node);
    try {
      await fleet.stopControlPlane(random.pick(['SIGTERM', 'SIGKILL'] as const));
      await fleet.startControlPlane();
      await lastsFor(scene, { short: [2, 6], long: 30 });
    } finally {
      await fleet.heal(node);
    }
    await fleet.nodesReady([node]);
  },
};

const emptiedWhileSilent: Fault = {
  name: 'redis-emptied-while-a-node-is-silent',
  holds: 'the pods of a node that is silent while Redis is emptied keep their uids',
  mayFailRequests: true,
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    await fleet.partition(node);
    try {
      await loseStore(fleet);
      await lasts(random.between(2, 8));
    } finally {
      await fleet.heal(node);
    }
    await fleet.nodesReady([node]);
  },
};

const halfOpen: Fault = {
  name: 'connection-half-open',
  holds: 'a node that vanished without a word is noticed within 20 s, and heard again by one session',
  mayFailRequests: true,
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    await fleet.partition(node);
    try {
      await eventually(`${node} is known to be silent`, 20, async () =>
        (await fleet.list('Node'))
          .find(({ metadata }) => metadata.name === node)
          ?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True'),
      );
    } finally {
      await fleet.heal(node);
    }
    await fleet.nodesReady([node], 30);
  },
};

const blind: Fault = {
  name: 'all-nodes-out-of-sight',
  holds: 'a control plane that sees no node at all moves and deletes nothing',
  mayFailRequests: true,
  async run({ fleet, random }) {
    const nodes = fleet.lab.nodes.map(({ name }) => name);
    for (const node of nodes) await fleet.partition(node);
    try {
      await lasts(random.between(10, 20));
      const pods = await fleet.list('Pod');
      assert.deepEqual(
        pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(({ metadata }) => metadata.name),
        [],
      );
    } finally {
      for (const node of nodes) await fleet.heal(node);
    }
    await fleet.nodesReady(nodes);
  },
};

const agentKilled: Fault = {
  name: 'agent-killed',
  holds: 'an agent that is killed at any moment adopts the same containers, and doubles none',
  async run({ fleet, random, hosts }) {
    for (let times = random.between(1, 3); times > 0; times -= 1) {
      const node = random.pick(hosts);
      await signalled(
        fleet,
        node,
        'KILL',
        await eventually(`the agent of ${node} answers`, 30, () => agentPid(fleet, node)),
      );
      await lasts(random.between(0, 20) / 10);
    }
    for (const node of hosts) await eventually(`the agent of ${node} answers`, 30, () => agentPid(fleet, node));
  },
};

const agentKilledInStart: Fault = {
  name: 'agent-killed-as-pods-start',
  holds: 'an agent that is killed while pods start and end leaves no pod out, and none twice',
  mayRestart: true,
  mayFailRequests: true,
  async run(scene) {
    const { fleet, random } = scene;
    const { name, node } = await somePod(scene);
    const deleted = await fleet.plumb('delete', `pod/${name}`);
    assert.equal(deleted.code, 0, deleted.stderr);
    for (let times = random.between(1, 4); times > 0; times -= 1) {
      await lasts(random.between(0, 12) / 10);
      const pid = await agentPid(fleet, node).catch(() => undefined);
      if (pid !== undefined) await signalled(fleet, node, 'KILL', pid);
    }
    await eventually(`the agent of ${node} answers`, 30, () => agentPid(fleet, node));
  },
};

const runtimeStopped: Fault = {
  name: 'runtime-stopped',
  holds: 'no container ends while the runtime does not answer, and the agent says so',
  async run(scene) {
    const { fleet, random, hosts } = scene;
    const node = random.pick(hosts);
    const pid = await runtimePid(fleet, node);
    await signalled(fleet, node, 'STOP', pid);
    try {
      await lastsFor(scene, { short: [10, 25], long: 300 });
      assert.ok(await agentPid(fleet, node), 'the agent answers');
    } finally {
      await signalled(fleet, node, 'CONT', pid);
    }
    await fleet.nodesReady([node]);
  },
};

const powerCut: Fault = {
  name: 'power-cut',
  holds: 'a host that loses power comes back with its pods',
  mayRestart: true,
  mayFailRequests: true,
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    await fleet.powerOff(node);
    await lasts(random.between(0, 3));
    await fleet.powerOn(node);
    await fleet.nodesReady([node]);
  },
};

const filterFlushed: Fault = {
  name: 'firewall-flushed',
  holds: 'rules that somebody flushed are back within seconds',
  mayFailRequests: true,
  async run({ fleet, random, hosts, app }) {
    const node = random.pick(hosts);
    const url = `http://${await fleet.clusterIP(app)}/`;
    const flushed = await fleet.on(node, ['nft', 'flush', 'ruleset']);
    assert.equal(flushed.code, 0, flushed.stderr);
    await eventually(`Services answer on ${node} again`, 15, () => fleet.httpFrom(node, url));
  },
};

const coreDump: Fault = {
  name: 'container-writes-proc-sys',
  holds: "root in a container cannot write the host's settings",
  async run(scene) {
    const before = await readFile('/proc/sys/kernel/core_pattern', 'utf8');
    const { name } = await somePod(scene);
    const tried = await scene.fleet.plumb(
      'exec',
      name,
      '--',
      'sh',
      '-c',
      'echo "|/bin/chaos" > /proc/sys/kernel/core_pattern',
    );
    assert.notEqual(tried.code, 0);
    assert.equal(await readFile('/proc/sys/kernel/core_pattern', 'utf8'), before);
  },
};

/** What the agent may have beside its normal memory while a container is hostile, in MB. */
const AGENT_MB = 160;

const hostile: Fault = {
  name: 'container-hostile',
  holds: 'a container that floods its messages and probes and forks without end troubles neither agent nor neighbours',
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    await fleet.write(
      'apps/hostile.yaml',
      `apiVersion: v1
kind: Pod
metadata: {name: hostile, labels: {app: hostile}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers:
    - name: flood
      image: registry.lab/hello:1
      command: [sh, -c, "dd if=/dev/zero of=/dev/termination-log bs=1M seek=1024 count=1; sleep 2; exit 1"]
      resources: {limits: {cpu: 100m, memory: 64Mi}, requests: {cpu: 10m, memory: 8Mi}}
    - name: probed
      image: registry.lab/hello:1
      command: [sleep, "3600"]
      resources: {limits: {cpu: 200m, memory: 64Mi}, requests: {cpu: 10m, memory: 8Mi}}
      readinessProbe: {exec: {command: [sh, -c, "dd if=/dev/zero bs=1M count=15"]}, periodSeconds: 1, timeoutSeconds: 1}
    - name: forks
      image: registry.lab/hello:1
      command: [sh, -c, "f() { sleep 30 & f & }; while true; do f; sleep 1; done"]
      resources: {limits: {cpu: 100m, memory: 64Mi}, requests: {cpu: 10m, memory: 8Mi}}
`,
    );
    await fleet.commitAndPush('Run a hostile pod');
    try {
      await eventually('it runs', 30, async () =>
        (await fleet.pods('hostile')).some(({ status }) => (status?.containerStatuses?.length ?? 0) === 3),
      );
      await lasts(random.between(8, 15));
      const pid = await agentPid(fleet, node);
      const status = (await fleet.on(node, ['cat', `/proc/${pid}/status`])).stdout;
      const megabytes = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
      assert.ok(megabytes < AGENT_MB, `the agent has ${megabytes.toFixed(0)} MB`);
    } finally {
      await fleet.removeFiles('apps/hostile.yaml');
    }
    await eventually('it is gone', 60, async () => (await fleet.pods('hostile')).length === 0);
  },
};

export const FAULTS: readonly Fault[] = [
  emptied,
  olderData,
  readOnly,
  outOfMemory,
  failsToSave,
  controlPlaneKilled,
  killedMidRollout,
  silentAcrossRestart,
  emptiedWhileSilent,
  halfOpen,
  blind,
  agentKilled,
  agentKilledInStart,
  runtimeStopped,
  powerCut,
  filterFlushed,
  coreDump,
  hostile,
  lyingNode,
  endlessAnswers,
  fullDisk,
  clockOfANode,
  clockOfControlPlane,
];

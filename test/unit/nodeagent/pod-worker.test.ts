/** One pod's worker: what its steps may do to each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { memoryPodNetwork } from '../../../nodeagent/adapters/memory/pod-network.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { ANNOTATION } from '../../../nodeagent/core/pod/identity.ts';
import { createLimiter } from '../../../nodeagent/loops/limiter.ts';
import { createUserIdHolder } from '../../../nodeagent/loops/user-ids.ts';
import { startPodWorker, type PodWorkerDeps, type PodWorkerStart } from '../../../nodeagent/loops/pod-worker.ts';
import { createStatusHub } from '../../../nodeagent/loops/status-hub.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import type { PodFiles } from '../../../nodeagent/ports/pod-files.ts';
import { container, NO_OBJECTS, pod, sandbox, UID } from './pods.ts';

interface Rig {
  /** What the runtime and the disk were asked to change, in order. */
  readonly did: string[];
  readonly logged: string[];
  /** Lets the container that is being created be there. */
  created(): void;
  close(): Promise<void>;
}

/** A pod whose container has ended three times: the next pass removes the first one and starts the fourth. */
function rig(
  tidyAttempts: PodFiles['tidyAttempts'],
  removal: 'done' | 'refused' | 'without effect' = 'done',
  rules: () => Promise<void> = async () => undefined,
  one: Pod = pod(),
): Rig {
  const did: string[] = [];
  const logged: string[] = [];
  const running = container({ attempt: 3 });
  let containers = [2, 1, 0].map((attempt) => container({ attempt, state: 'exited', exitCode: 1 }));
  let imageIsThere = false;
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const runtime = {
    listSandboxes: async () => [sandbox()],
    listContainers: async () => containers,
    container: async (id: string) => [...containers, running].find((one) => one.id === id)?.detail,
    sandboxAddresses: async () => ['198.18.0.9'],
    async removeContainer(id: string) {
      // In the first pass there is nothing to be started yet: the image comes first.
      if (!imageIsThere || removal === 'refused') throw new Error('the runtime is busy');
      did.push(`remove ${id}`);
      if (removal === 'done') containers = containers.filter((one) => one.id !== id);
      else await turn();
    },
    async createContainer() {
      did.push('create');
      await arrived;
      containers = [running, ...containers];
      return running.id;
    },
    startContainer: async (id: string) => void did.push(`start ${id}`),
    stopContainer: async () => undefined,
  };
  const worker = startPodWorker(
    {
      ...depsOn(runtime),
      files: {
        syncVolumes: nothing,
        prepareContainer: nothing,
        tidyAttempts: async (...args: Parameters<PodFiles['tidyAttempts']>) => {
          did.push(`tidy up to ${args[2]}`);
          await tidyAttempts(...args);
        },
      } as unknown as PodFiles,
      policies: {
        async passed(key, uid, address) {
          did.push(`rules for ${key} ${uid} at ${address.join()}`);
          await rules();
        },
      },
      network: {
        async limit(address, rates) {
          did.push(`limit ${address} to ${JSON.stringify(rates)}`);
        },
      },
      puller: {
        async ensure() {
          await turn();
          imageIsThere = true;
          return { ok: true };
        },
      },
      // All pauses are over at once.
      clock: {
        ...systemClock,
        async sleep() {
          did.push('pause');
          await turn();
        },
      },
      log: jsonLog((line) => void logged.push(line)),
    },
    startOf(one),
  );
  return { did, logged, created: () => arrive(), close: () => worker.close() };
}

async function nothing(): Promise<void> {}

function startOf(one: Pod): PodWorkerStart {
  const identity = { namespace: 'default', name: 'app', uid: UID };
  return { identity, pod: one, previous: undefined, fresh: false, refused: undefined };
}

/** What a worker needs, where all goes well. */
function depsOn(runtime: object): PodWorkerDeps {
  return {
    runtime: runtime as unknown as PodWorkerDeps['runtime'],
    files: {
      syncVolumes: nothing,
      prepareContainer: nothing,
      tidyAttempts: nothing,
      graceLeft: async (_identity: unknown, _container: unknown, wholeMs: number) => wholeMs,
    } as unknown as PodFiles,
    cgroups: { limit: nothing, remove: nothing },
    policies: { passed: nothing },
    network: memoryPodNetwork(),
    images: {} as PodWorkerDeps['images'],
    puller: { ensure: async () => ({ ok: true }) },
    probes: {} as PodWorkerDeps['probes'],
    prober: {
      follow: () => undefined,
      freeze: () => undefined,
      verdicts: () => new Map(),
    } as unknown as PodWorkerDeps['prober'],
    sandboxes: createLimiter(1),
    userIds: createUserIdHolder({ listSandboxes: async () => [] }),
    hub: createStatusHub(systemClock),
    clock: systemClock,
    log: jsonLog(() => undefined),
    facts: () => ({
      folders: { state: '/nowhere', run: '/nowhere', podLogs: '/nowhere' },
      thermalPaths: [],
      hugePageSizes: [],
      hostIP: '198.18.0.1',
      systemdCgroup: false,
      recursiveReadOnly: false,
      appArmor: false,
      strictGroups: false,
      userNamespaces: [],
      clusterDns: false,
      clusterDomain: 'cluster.local',
    }),
    objects: () => NO_OBJECTS,
    pressures: () => [],
    onGone: () => undefined,
    judgeResize: () => ({ is: 'fits' }),
    onObserved: () => undefined,
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

describe("a pod's worker", () => {
  it('makes one container though a step that runs at the same time cannot be done', async () => {
    const r = rig(async () => Promise.reject(new Error('EIO: i/o error')));
    await until(() => r.did.includes('create') && r.did.includes('remove main-0'));
    // Had the pass ended with the failure, this is time for many more of them.
    for (let turns = 0; turns < 200; turns += 1) await turn();
    r.created();
    await until(() => r.did.includes('start main-3'));
    await r.close();
    assert.deepEqual(
      r.did.filter((what) => what === 'create'),
      ['create'],
    );
    assert.ok(
      r.logged.some((line) => line.includes('EIO')),
      r.logged.join(''),
    );
  });

  it('begins a process when the rules of policies have the pod, and not before', async () => {
    let areWritten: () => void = () => undefined;
    const written = new Promise<void>((resolve) => {
      areWritten = resolve;
    });
    const r = rig(
      async () => undefined,
      'done',
      () => written,
    );
    r.created();
    const asked = `rules for pods/default/app ${UID} at 198.18.0.9`;
    await until(() => r.did.includes(asked));
    for (let turns = 0; turns < 50; turns += 1) await turn();
    assert.ok(!r.did.includes('start main-3'));
    areWritten();
    await until(() => r.did.includes('start main-3'));
    await r.close();
  });

  it('begins none where they cannot be written', async () => {
    const r = rig(
      async () => undefined,
      'done',
      async () => Promise.reject(new Error('not in force yet')),
    );
    r.created();
    await until(() => r.logged.some((line) => line.includes('not in force yet')));
    for (let turns = 0; turns < 50; turns += 1) await turn();
    await r.close();
    assert.ok(!r.did.includes('start main-3'));
  });

  const limitedTo = (text: string): Pod => {
    const plain = pod();
    const annotations = { 'kubernetes.io/egress-bandwidth': text };
    return { ...plain, metadata: { ...plain.metadata, annotations } };
  };

  it('begins a process of a limited pod when its traffic is limited', async () => {
    const r = rig(async () => undefined, 'done', undefined, limitedTo('10M'));
    r.created();
    await until(() => r.did.includes('start main-3'));
    await r.close();
    const its = r.did.filter((what) => /^(?:limit|start) /.test(what));
    assert.deepEqual(its, ['limit 198.18.0.9 to {"egress":10000000}', 'start main-3']);
  });

  it('begins none where the limit is none', async () => {
    const r = rig(async () => undefined, 'done', undefined, limitedTo('fast'));
    r.created();
    await until(() => r.logged.some((line) => line.includes('egress-bandwidth is no rate')));
    await r.close();
    assert.ok(!r.did.includes('start main-3'));
  });

  it('keeps the files of a container that could not be removed', async () => {
    const r = rig(async () => undefined, 'refused');
    r.created();
    await until(() => r.did.includes('start main-3'));
    await r.close();
    assert.deepEqual(
      r.did.filter((what) => what.startsWith('tidy')),
      [],
    );
  });

  it('pauses before it does again what went well and changed nothing', async () => {
    const r = rig(async () => undefined, 'without effect');
    r.created();
    const removals = (): string[] => r.did.filter((what) => what === 'pause' || what === 'remove main-0');
    await until(() => removals().filter((what) => what !== 'pause').length >= 6);
    await r.close();
    // The first are of different plans.
    const [, , ...later] = removals().join(' ').split('remove main-0');
    assert.deepEqual(
      later.slice(1, 4).map((between) => between.includes('pause')),
      [true, true, true],
    );
  });
});

describe('a pod whose machine goes down', () => {
  const CUT_OFF = ['Failed', 'Terminated', 'TerminationByKubelet'];
  const AS_IT_WAS = ['Running', undefined, undefined];
  for (const [name, spec, before, while_, after] of [
    ['goes on when it is back, and tells nothing', {}, 'running', AS_IT_WAS, AS_IT_WAS],
    [
      'that nobody starts again is over, once nothing of it runs',
      { restartPolicy: 'Never' },
      'running',
      ['Running', undefined, 'TerminationByKubelet'],
      CUT_OFF,
    ],
    [
      'that was over stays what it was',
      { restartPolicy: 'Never' },
      'exited',
      ['Succeeded', undefined, undefined],
      ['Succeeded', undefined, undefined],
    ],
  ] as const) {
    it(name, async () => {
      let state: 'running' | 'exited' = before;
      let killed: (graceSeconds: number) => void = () => undefined;
      let isReady = true;
      let end = (): void => undefined;
      const runtime = {
        listSandboxes: async () => [sandbox({ ready: isReady })],
        listContainers: async () => [container({ state })],
        container: async () => container({ state, exitCode: state === before ? 0 : 143 }).detail,
        sandboxAddresses: async () => ['198.18.0.9'],
        stopContainer: async (_: string, graceSeconds: number) => {
          killed(graceSeconds);
          await new Promise<void>((resolve) => {
            end = () => {
              state = 'exited';
              resolve();
            };
          });
        },
        stopSandbox: async () => void (isReady = false),
      };
      const deps = depsOn(runtime);
      const worker = startPodWorker(deps, startOf(pod(spec)));
      const told = (): readonly unknown[] => {
        const status = deps.hub.statuses().get(UID);
        return [
          status?.phase,
          status?.reason,
          status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason,
        ];
      };
      await until(() => told()[0] === while_[0]);
      const asked = new Promise<number>((resolve) => {
        killed = resolve;
      });
      const down = worker.shutDown(3);
      if (before === 'running') assert.equal(Math.ceil(await asked), 3);
      assert.deepEqual(told(), while_);
      end();
      await down;
      assert.deepEqual(told(), after);
      await worker.close();
    });
  }
});

describe('a pod that is resized again while a resize is under way', () => {
  it('never tells of a generation that nobody weighed', async () => {
    const asking = (cpu: string, generation: number): Pod => {
      const resources = { requests: { cpu }, limits: { cpu } };
      return pod({ containers: [{ name: 'main', image: 'app:1', resources }] }, { generation });
    };
    const made = container();
    const running = {
      ...made,
      annotations: {
        ...made.annotations,
        [ANNOTATION.resources]: JSON.stringify({ limits: { cpu: '100m' }, requests: { cpu: '100m' } }),
      },
    };
    const updates: (() => void)[] = [];
    /** A look at the runtime takes as long. */
    let looking: Promise<void> = Promise.resolve();
    const deps = depsOn({
      listSandboxes: async () => [sandbox()],
      async listContainers() {
        await looking;
        return [running];
      },
      container: async () => running.detail,
      sandboxAddresses: async () => ['198.18.0.9'],
      updateContainer: () => new Promise<void>((resolve) => updates.push(resolve)),
    });
    const told: (readonly unknown[])[] = [];
    const tellPod = deps.hub.tellPod.bind(deps.hub);
    deps.hub.tellPod = (identity, status) => {
      told.push([status.observedGeneration, status.conditions?.some(({ type }) => type === 'PodResizeInProgress')]);
      tellPod(identity, status);
    };
    const worker = startPodWorker(deps, startOf(asking('100m', 1)));
    await until(() => told.length > 0);
    worker.assign(asking('200m', 2));
    await until(() => updates.length === 1);
    let seen = (): void => undefined;
    looking = new Promise((resolve) => {
      seen = resolve;
    });
    worker.assign(asking('300m', 3));
    updates[0]?.();
    await turn();
    seen();
    await until(() => updates.length === 2);
    assert.deepEqual(
      told.filter(([generation]) => generation === 3).filter(([, isUnderWay]) => isUnderWay !== true),
      [],
    );
    updates[1]?.();
    await until(() => told.at(-1)?.[1] === false);
    assert.deepEqual(told.at(-1), [3, false]);
    await worker.close();
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerRequest, sandboxRequest } from '../../../nodeagent/adapters/cri/configs.ts';
import { containerConfig, sandboxConfig, type NodeFacts } from '../../../nodeagent/core/pod/container-config.ts';
import { ANNOTATION } from '../../../nodeagent/core/pod/identity.ts';
import { freeUserIds, noOwnUsers, userIdsOf } from '../../../nodeagent/core/pod/user-ids.ts';
import { createUserIdHolder } from '../../../nodeagent/loops/user-ids.ts';
import { NO_OBJECTS, pod, sandbox } from './pods.ts';

const made = (first: number | string) => sandbox({ annotations: { [ANNOTATION.userIds]: String(first) } });
const facts: NodeFacts = {
  folders: { state: '/state', run: '/run', podLogs: '/logs' },
  hostIP: '198.18.0.1',
  systemdCgroup: false,
  recursiveReadOnly: false,
  appArmor: false,
  strictGroups: false,
  userNamespaces: [''],
  clusterDns: false,
  clusterDomain: 'cluster.local',
  hugePageSizes: [],
  thermalPaths: [],
};

describe('users of a pod', () => {
  it('are the first that no other sandbox has, and never the first of the node', () => {
    for (const [sandboxes, first] of [
      [[], 65_536],
      [[sandbox()], 65_536],
      [[made(65_536), made(196_608)], 131_072],
      // What nobody here has written there takes nothing.
      [[made('x'), made(0), made(65_537), made(-65_536)], 65_536],
    ] as const)
      assert.deepEqual(freeUserIds(sandboxes), { ok: true, value: { first } });
    const all = Array.from({ length: 65_535 }, (_, at) => made((at + 1) * 65_536));
    assert.match(JSON.stringify(freeUserIds(all)), /could not find an empty slot/);
    assert.deepEqual(freeUserIds(all.slice(0, -1)), { ok: true, value: { first: 2 ** 32 - 65_536 } });
  });

  it('are not to be had of a runtime that cannot, in the words of a kubelet', () => {
    assert.equal(noOwnUsers('', ['', 'kata']), undefined);
    assert.equal(noOwnUsers('', []), "can't set `spec.hostUsers: false`, runtime does not support user namespaces");
    assert.equal(
      noOwnUsers('kata', ['']),
      'can\'t set `spec.hostUsers: false`, RuntimeClass handler "kata" does not support user namespaces',
    );
  });

  it('are given to one sandbox at a time, and those of its last one to a pod again', async () => {
    const { signal } = new AbortController();
    const there = [made(65_536)];
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => (answer = resolve));
    let slow = false;
    const holder = createUserIdHolder({
      async listSandboxes() {
        const seen = [...there];
        if (slow) await asked;
        return seen;
      },
    });
    const first = async (ofPod = [sandbox()]) => {
      const held = await holder.hold(ofPod, signal);
      assert.ok(held.ok);
      return held.value;
    };
    const [a, b] = await Promise.all([first(), first()]);
    assert.deepEqual([a.ids.first, b.ids.first], [131_072, 196_608]);
    assert.equal((await first([made(65_536)])).ids.first, 65_536);
    // The list was taken before this one's sandbox was there, and is read after it was let go of.
    slow = true;
    const late = first();
    a[Symbol.dispose]();
    answer();
    assert.equal((await late).ids.first, 262_144);
    slow = false;
    b[Symbol.dispose]();
    assert.equal((await first()).ids.first, 131_072);
  });

  it('are what the runtime is told, for sandbox, container and volumes', () => {
    const users = { first: 131_072 };
    const one = pod({
      hostUsers: false,
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [
        {
          name: 'main',
          image: 'app:1',
          securityContext: { procMount: 'Unmasked' },
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
    });
    const mapping = [{ hostId: 131_072, containerId: 0, length: 65_536 }];
    const ofSandbox = sandboxConfig(one, 0, facts, { hostname: 'app', dns: undefined, users });
    assert.deepEqual(userIdsOf(ofSandbox), users);
    assert.deepEqual(sandboxRequest(ofSandbox).linux?.securityContext?.namespaceOptions?.usernsOptions, {
      mode: 0,
      uids: mapping,
      gids: mapping,
    });
    const [container] = one.spec.containers;
    assert.ok(container);
    const attempt = { number: 0, restarts: 0, backoffMs: 0, role: 'app' } as const;
    const input = { pod: one, container, attempt, objects: NO_OBJECTS, podIP: '198.18.1.2', facts };
    const config = containerConfig({ ...input, users });
    assert.ok(config.ok);
    const { linux, mounts } = containerRequest(config.value);
    assert.deepEqual(linux?.securityContext?.namespaceOptions?.usernsOptions?.uids, mapping);
    assert.deepEqual([config.value.security.maskedPaths, config.value.security.readonlyPaths], [[], []]);
    assert.deepEqual(
      mounts?.map((mount) => [mount.containerPath, mount.uidMappings, mount.gidMappings]),
      [
        ['/data', mapping, mapping],
        ['/etc/hosts', undefined, undefined],
        ['/dev/termination-log', undefined, undefined],
      ],
    );
    // Root of the node sees no more of its kernel for that.
    const ofNode = containerConfig({ ...input, pod: { ...one, spec: { ...one.spec, hostUsers: undefined } } });
    assert.ok(ofNode.ok && ofNode.value.security.maskedPaths.length > 0);
    const plain = sandboxRequest(sandboxConfig(pod(), 0, facts));
    assert.equal(plain.linux?.securityContext?.namespaceOptions?.usernsOptions, undefined);
  });
});

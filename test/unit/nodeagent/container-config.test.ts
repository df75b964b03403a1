import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ConfigMap, Secret, Service } from '../../../contracts/objects/index.ts';
import { containerConfig, sandboxConfig } from '../../../nodeagent/core/pod/container-config.ts';
import { linuxResources } from '../../../nodeagent/core/pod/linux-resources.ts';
import { expandReferences } from '../../../nodeagent/core/pod/expand.ts';
import { cgroupParent } from '../../../nodeagent/core/pod/identity.ts';
import { referredKeys, type PodObjects } from '../../../nodeagent/core/pod/objects.ts';
import { containerSecurity } from '../../../nodeagent/core/pod/security.ts';
import { planVolumes, volumesVersion } from '../../../nodeagent/core/pod/volumes/index.ts';
import { NO_OBJECTS, pod } from './pods.ts';

const folders = { state: '/state', run: '/run', podLogs: '/logs' };
const facts = {
  folders,
  hostIP: '198.18.0.1',
  systemdCgroup: false,
  recursiveReadOnly: false,
  appArmor: false,
  strictGroups: false,
  userNamespaces: [],
  clusterDns: false,
  clusterDomain: 'cluster.local',
  hugePageSizes: [],
  thermalPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};
const settings = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', uid: 'u', resourceVersion: '7' },
  data: { COLOR: 'blue', 'odd key': 'x' },
} as ConfigMap;
const login = {
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name: 'login' },
  data: { PASSWORD: Buffer.from('pw').toString('base64') },
} as Secret;
const web = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'my-web', namespace: 'default' },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.7',
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
    sessionAffinity: 'None',
    publishNotReadyAddresses: false,
  },
} as Service;
const objects: PodObjects = {
  ...NO_OBJECTS,
  configMap: (name) => (name === 'settings' ? settings : undefined),
  secret: (name) => (name === 'login' ? login : undefined),
  services: () => [web],
  allocatable: () => ({ cpu: '3920m', memory: '7Gi', 'ephemeral-storage': '10G' }),
};

function made(container: Record<string, unknown>, spec: Record<string, unknown> = {}, known = objects) {
  const one = pod(
    { enableServiceLinks: false, ...spec, containers: [{ name: 'main', image: 'app:1', ...container }] },
    { labels: { tier: 'front' }, annotations: { note: 'n' } },
  );
  const first = one.spec.containers[0];
  assert.ok(first);
  return containerConfig({
    pod: one,
    container: first,
    attempt: { number: 2, restarts: 2, backoffMs: 10_000, role: 'app' },
    objects: known,
    podIP: '198.18.0.9',
    facts,
  });
}
function envOf(container: Record<string, unknown>, spec?: Record<string, unknown>): Record<string, string> {
  const config = made(container, spec);
  assert.ok(config.ok);
  return Object.fromEntries(config.value.env.map(({ name, value }) => [name, value]));
}

describe('expandReferences', () => {
  for (const [text, expected] of [
    ['$(A)', '1'],
    ['$(B)', '$(B)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['a$', 'a$'],
    ['$(A)$(A)', '11'],
    ['$(A', '$(A'],
    ['$A', '$A'],
    ['$()', '$()'],
  ] as const) {
    it(`${text} -> ${expected}`, () =>
      assert.deepEqual(
        expandReferences(text, (name) => (name === 'A' ? '1' : undefined)),
        { ok: true, value: expected },
      ));
  }

  it('stops at more than the kernel starts a program with', () => {
    const message = 'a text with references comes to more than 6291456 characters';
    const megabytes = (count: number) => expandReferences('$(A)'.repeat(count), () => 'x'.repeat(2 ** 20));
    const most = megabytes(6);
    assert.deepEqual([most.ok, most.ok && most.value.length], [true, 6 * 2 ** 20]);
    assert.deepEqual(megabytes(7), { ok: false, message });
    assert.deepEqual(megabytes(100_000), { ok: false, message });
  });
});

describe('containerConfig', () => {
  it('resolves the environment in order, later ones over earlier ones', () => {
    const env = envOf({
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'S_', secretRef: { name: 'login' } }],
      env: [
        { name: 'COLOR', value: 'red' },
        { name: 'SHADE', value: 'dark-$(COLOR)-$(NONE)' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'TIER', valueFrom: { fieldRef: { fieldPath: "metadata.labels['tier']" } } },
        { name: 'NOTE', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['note']" } } },
        { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
        { name: 'ABSENT', valueFrom: { configMapKeyRef: { name: 'none', key: 'x', optional: true } } },
      ],
    });
    assert.deepEqual(env, {
      HOSTNAME: 'app',
      COLOR: 'red',
      'odd key': 'x',
      S_PASSWORD: 'pw',
      SHADE: 'dark-red-$(NONE)',
      IP: '198.18.0.9',
      TIER: 'front',
      NOTE: 'n',
      HOST: '198.18.0.1',
    });
  });

  it('takes every key of a source for a name, as Kubernetes does', () => {
    const odd = { ...settings, data: { '1badkey': '1', 'a.b-c': '2', _: '3' } } as ConfigMap;
    const config = made(
      { envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: '9 ', configMapRef: { name: 'settings' } }] },
      {},
      { ...objects, configMap: () => odd },
    );
    assert.ok(config.ok);
    assert.deepEqual(config.value.env.map(({ name, value }) => `${name}=${value}`).sort(), [
      '1badkey=1',
      '9 1badkey=1',
      '9 _=3',
      '9 a.b-c=2',
      'HOSTNAME=app',
      '_=3',
      'a.b-c=2',
    ]);
  });

  it('names the ServiceAccount, and no label that the pod does not have', () => {
    const fields = (fieldPath: string) => ({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath } } }] });
    assert.equal(envOf(fields('spec.serviceAccountName'))['A'], 'default');
    assert.equal(envOf(fields('spec.serviceAccountName'), { serviceAccountName: 'robot' })['A'], 'robot');
    assert.equal(envOf(fields("metadata.labels['constructor']"))['A'], '');
  });

  it('makes no container of values that name one another without end', () => {
    const doubling = Array.from({ length: 60 }, (_, index) => ({
      name: `V${index}`,
      value: index === 0 ? 'x' : `$(V${index - 1})$(V${index - 1})`,
    }));
    const env = [{ name: 'A', value: 'x'.repeat(2 ** 20) }];
    const eight = Array.from({ length: 8 }, () => '$(A)');
    const six = 'comes to more than 6291456 characters';
    for (const [container, message] of [
      [{ env: doubling }, `the environment ${six}`],
      [{ env: [...env, ...eight.map((value, index) => ({ name: `B${index}`, value }))] }, `the environment ${six}`],
      [{ env, command: eight.slice(0, 4), args: eight.slice(4) }, `the command with its arguments ${six}`],
      [{ env, args: [eight.join('')] }, `a text with references ${six}`],
    ] as const)
      assert.deepEqual(made(container), { ok: false, message });
    const kept = made({ env, command: eight.slice(0, 2), args: ['$(A)', 'a'] });
    assert.ok(kept.ok);
    assert.deepEqual(
      [kept.value.command, kept.value.args].map((words) => words.map(({ length }) => length)),
      [
        [2 ** 20, 2 ** 20],
        [2 ** 20, 1],
      ],
    );
  });

  it('names the Services of the namespace', () => {
    const env = envOf({}, { enableServiceLinks: true });
    assert.equal(env['MY_WEB_SERVICE_HOST'], '10.96.0.7');
    assert.equal(env['MY_WEB_SERVICE_PORT_HTTP'], '80');
    assert.equal(env['MY_WEB_PORT_80_TCP'], 'tcp://10.96.0.7:80');
  });

  for (const [what, container, spec, message] of [
    [
      'a missing ConfigMap',
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'none', key: 'x' } } }] },
      {},
      'configmap "none" not found',
    ],
    [
      'a missing key',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'login', key: 'x' } } }] },
      {},
      "couldn't find key x in Secret default/login",
    ],
    [
      'a key that every object inherits, of a ConfigMap',
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'constructor' } } }] },
      {},
      "couldn't find key constructor in ConfigMap default/settings",
    ],
    [
      'a key that every object inherits, of a Secret',
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'login', key: 'toString' } } }] },
      {},
      "couldn't find key toString in Secret default/login",
    ],
    ['a missing source of many', { envFrom: [{ secretRef: { name: 'none' } }] }, {}, 'secret "none" not found'],
    [
      'a field that is none',
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nothing' } } }] },
      {},
      'unsupported fieldPath: spec.nothing',
    ],
    [
      'a volume that the pod lacks',
      { volumeMounts: [{ name: 'x', mountPath: '/x' }] },
      {},
      'volumeMounts names the volume "x", which the pod does not have',
    ],
    [
      'a subPath that leads out',
      { volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../y' }] },
      { volumes: [{ name: 'v', emptyDir: {} }] },
      "unable to provision SubPath `../y`: must not contain '..'",
    ],
    [
      'root where the pod forbids it',
      { securityContext: { runAsNonRoot: true, runAsUser: 0 } },
      {},
      "container's runAsUser breaks non-root policy",
    ],
  ] as const) {
    it(`refuses ${what}`, () => assert.deepEqual(made(container, spec), { ok: false, message }));
  }

  it('expands references in command and arguments, and mounts what is asked for', () => {
    const config = made(
      {
        command: ['run', '$(X)'],
        args: ['$(X)-$$(X)'],
        env: [{ name: 'X', value: '1' }],
        volumeMounts: [
          { name: 'c', mountPath: '/c' },
          { name: 'm', mountPath: '/m', subPath: 'deep' },
        ],
      },
      {
        volumes: [
          { name: 'c', secret: { secretName: 'login' } },
          { name: 'm', emptyDir: { medium: 'Memory' } },
        ],
      },
    );
    assert.ok(config.ok);
    assert.deepEqual([config.value.command, config.value.args], [['run', '1'], ['1-$(X)']]);
    assert.deepEqual(
      config.value.mounts.map((mount) => [mount.containerPath, mount.hostPath, mount.readOnly]),
      [
        ['/c', '/run/pods/uid-1/volumes/c', true],
        ['/m', '/state/mounts/uid-1/subpaths/main/1', false],
        ['/etc/hosts', '/state/pods/uid-1/etc-hosts', false],
        ['/dev/termination-log', '/state/pods/uid-1/containers/main/2', false],
      ],
    );
    assert.equal(config.value.logPath, 'main/2.log');
  });

  for (const [resources, expected] of [
    [{}, [0, 0, 2, 0, 1000]],
    [{ limits: { cpu: '500m', memory: '64Mi' } }, [100_000, 50_000, 512, 67_108_864, -997]],
    [{ requests: { cpu: '1' }, limits: { memory: '1Gi' } }, [0, 0, 1024, 1_073_741_824, 500]],
    [{ limits: { cpu: '1m' } }, [100_000, 1000, 2, 0, 500]],
    [{ limits: { cpu: '16Ei', memory: '16Ei' } }, [100_000, 2 ** 44 - 1, 262_144, 2 ** 63 - 1024, -997]],
  ] as const) {
    it(`resources ${JSON.stringify(resources)}`, () => {
      const r = linuxResources({ resources });
      assert.deepEqual([r.cpuPeriod, r.cpuQuota, r.cpuShares, r.memoryBytes, r.oomScoreAdj], expected);
    });
  }
});

describe('security of a container', () => {
  const secured = (container: Record<string, unknown>, ofPod: Record<string, unknown> = {}) => {
    const config = made({ securityContext: container }, { securityContext: ofPod });
    assert.ok(config.ok);
    return config.value.security;
  };
  const local = { type: 'Localhost', localhostProfile: 'web/strict.json' };

  it("masks and write-protects what is the host's, unless it is privileged", () => {
    const { maskedPaths, readonlyPaths } = secured({});
    for (const path of ['/proc/kcore', '/proc/interrupts', '/sys/devices/system/cpu/cpu0/thermal_throttle'])
      assert.ok(maskedPaths.includes(path), path);
    for (const path of ['/proc/sys', '/proc/sysrq-trigger']) assert.ok(readonlyPaths.includes(path), path);
    const free = secured({ privileged: true });
    assert.deepEqual([free.maskedPaths, free.readonlyPaths], [[], []]);
  });

  for (const [what, container, ofPod, expected] of [
    ['the default', undefined, undefined, { type: 'RuntimeDefault' }],
    ['of the pod', undefined, { type: 'Unconfined' }, { type: 'Unconfined' }],
    ['of the container over the pod', { type: 'RuntimeDefault' }, { type: 'Unconfined' }, { type: 'RuntimeDefault' }],
    ['a file', local, { type: 'Unconfined' }, { type: 'Localhost', path: '/state/seccomp/web/strict.json' }],
  ] as const) {
    it(`filters system calls: ${what}`, () => {
      assert.deepEqual(
        secured({ ...(container && { seccompProfile: container }) }, { ...(ofPod && { seccompProfile: ofPod }) })
          .seccomp,
        expected,
      );
    });
  }

  it('confines by AppArmor and labels for SELinux as the container says, else the pod', () => {
    const of = (container: object, ofPod: object = {}): unknown => {
      const { appArmor, seLinux, strictGroups } = secured({ ...container }, { ...ofPod });
      return [appArmor, seLinux && { ...seLinux }, strictGroups];
    };
    const named = { type: 'Localhost', localhostProfile: 'web' } as const;
    assert.deepEqual(of({}), [undefined, undefined, false]);
    assert.deepEqual(of({ appArmorProfile: { type: 'RuntimeDefault' }, seLinuxOptions: {} }), [
      undefined,
      undefined,
      false,
    ]);
    assert.deepEqual(
      of({}, { appArmorProfile: named, seLinuxOptions: { level: 's0:c1' }, supplementalGroupsPolicy: 'Strict' }),
      [{ type: 'Localhost', name: 'web' }, { level: 's0:c1' }, true],
    );
    assert.deepEqual(
      of(
        { appArmorProfile: { type: 'RuntimeDefault' }, seLinuxOptions: { type: 'a_t' } },
        { appArmorProfile: named, seLinuxOptions: { level: 's0:c1' } },
      ),
      [{ type: 'RuntimeDefault' }, { type: 'a_t' }, false],
    );
  });

  it('holds the sandbox to the default whatever the pod asks for', () => {
    assert.deepEqual(
      sandboxConfig(pod({ securityContext: { seccompProfile: { type: 'Unconfined' } } }), 0, facts).security.seccomp,
      { type: 'RuntimeDefault' },
    );
  });

  it('takes no profile from elsewhere, though a manifest came around the check', () => {
    const one = pod({ containers: [{ name: 'main', image: 'app:1' }] });
    for (const localhostProfile of ['../../etc/x', '/etc/x', '', 'a/../../x']) {
      const [container] = one.spec.containers;
      assert.ok(container);
      const asked = {
        ...container,
        securityContext: {
          privileged: false,
          readOnlyRootFilesystem: false,
          seccompProfile: { type: 'Localhost', localhostProfile },
        },
      } as const;
      assert.deepEqual(containerSecurity(one, asked, facts), {
        ok: false,
        message: `the seccomp profile "${localhostProfile}" is none below /state/seccomp`,
      });
    }
  });

  it('forbids to gain privileges only where that is said', () => {
    assert.deepEqual(
      [
        secured({}).noNewPrivileges,
        secured({ allowPrivilegeEscalation: true }).noNewPrivileges,
        secured({ allowPrivilegeEscalation: false }).noNewPrivileges,
      ],
      [false, false, true],
    );
  });
});

describe('sandboxConfig', () => {
  it('names cgroups as the driver wants them', () => {
    assert.equal(cgroupParent('a-b', false), '/plumbline/poda-b');
    assert.equal(cgroupParent('a-b', true), 'plumbline-poda_b.slice');
    assert.equal(
      sandboxConfig(
        pod({ containers: [{ name: 'm', image: 'a', ports: [{ containerPort: 80, hostPort: 8080 }] }] }),
        0,
        facts,
      ).portMappings[0]?.hostPort,
      8080,
    );
  });

  it('leaves bandwidth to a CNI plugin, and ports of the machine to nobody else', () => {
    const one = pod({ containers: [{ name: 'm', image: 'a', ports: [{ containerPort: 80, hostPort: 8080 }] }] });
    const annotations = { 'kubernetes.io/egress-bandwidth': '1M', 'example.org/other': 'x' };
    const limited = { ...one, metadata: { ...one.metadata, annotations } };
    const told = (foreignRanges?: readonly string[]) => {
      const config = sandboxConfig(limited, 0, { ...facts, foreignRanges });
      return [config.portMappings.length, config.annotations['kubernetes.io/egress-bandwidth']];
    };
    assert.deepEqual(told(), [1, undefined]);
    assert.deepEqual(told(['198.19.1.0/24']), [0, '1M']);
  });
});

describe('huge pages as a volume', () => {
  const asking = (medium: string, ...sizes: readonly string[]) =>
    planVolumes(
      pod({
        volumes: [{ name: 'v', emptyDir: { medium } }],
        containers: sizes.map((size, at) => ({
          name: `c${at}`,
          image: 'app:1',
          resources: { limits: { [`hugepages-${size}`]: size, memory: '1Mi' } },
        })),
        initContainers: sizes.length === 0 ? [{ name: 'i', image: 'app:1' }] : [],
        ...(sizes.length === 0 && { containers: [{ name: 'main', image: 'app:1' }] }),
      }),
      objects,
      folders,
    );
  for (const [what, plan, expected] of [
    ['are of the size that the pod asks for, and as many', asking('HugePages', '2Mi', '2Mi'), [2 ** 21, 2 ** 22]],
    ['are of the size of the medium', asking('HugePages-2Mi', '2Mi', '1Gi'), [2 ** 21, 2 ** 21]],
    ['are not to be had where nobody asks', asking('HugePages'), /medium HugePages: hugePages storage requested, but/],
    ['nor of another size', asking('HugePages-1Gi', '2Mi'), /medium HugePages-1Gi: hugePages storage requested, but/],
    ['nor where their size is not said', asking('HugePages', '2Mi', '1Gi'), /can't be used if container requests mult/],
  ] as const)
    it(what, () => {
      if (expected instanceof RegExp) return assert.ok(!plan.ok && expected.test(plan.message));
      assert.ok(plan.ok);
      const [volume] = plan.value;
      return assert.deepEqual(volume?.kind === 'hugePages' && [volume.pageBytes, volume.sizeBytes], expected);
    });
});

describe('planVolumes', () => {
  const withVolume = (volume: Record<string, unknown>) => pod({ volumes: [{ name: 'v', ...volume }] });
  it('gives each kind its place', () => {
    const plan = planVolumes(
      pod({
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
          { name: 'c', hostPath: { path: '/x', type: 'File' } },
          { name: 'd', configMap: { name: 'settings', items: [{ key: 'COLOR', path: 'deep/color', mode: 0o600 }] } },
          { name: 'e', secret: { secretName: 'login' } },
          { name: 'f', nfs: { server: 'files', path: '/srv/a' } },
          { name: 'g', nfs: { server: 'fd00::1', path: '/', readOnly: true } },
          { name: 'h', image: { reference: 'files' } },
        ],
      }),
      objects,
      folders,
    );
    assert.ok(plan.ok);
    assert.deepEqual(
      plan.value.map((v) =>
        v.kind === 'files'
          ? [v.path, v.files.map((f) => [f.path, f.mode, f.content.toString()])]
          : v.kind === 'empty'
            ? [v.path, v.medium, v.sizeBytes]
            : v.kind === 'nfs'
              ? [v.path, v.source, v.options]
              : v.kind === 'image'
                ? [v.path, v.image, v.podUid]
                : [v.path, v.kind === 'host' && v.type],
      ),
      [
        ['/state/pods/uid-1/volumes/a', 'disk', undefined],
        ['/run/pods/uid-1/volumes/b', 'memory', 1_048_576],
        ['/x', 'File'],
        ['/state/pods/uid-1/volumes/d', [['deep/color', 0o600, 'blue']]],
        ['/run/pods/uid-1/volumes/e', [['PASSWORD', 0o644, 'pw']]],
        ['/state/mounts/uid-1/volumes/f', 'files:/srv/a', []],
        ['/state/mounts/uid-1/volumes/g', '[fd00::1]:/', ['ro']],
        ['/state/pods/uid-1/volumes/h', 'files:latest', 'uid-1'],
      ],
    );
  });
  for (const [what, volume, message] of [
    [
      'missing',
      { configMap: { name: 'none' } },
      'MountVolume.SetUp failed for volume "v" : configmap "none" not found',
    ],
    [
      'key missing',
      { configMap: { name: 'settings', items: [{ key: 'NONE', path: 'x' }] } },
      'MountVolume.SetUp failed for volume "v" : references non-existent config key: NONE',
    ],
    [
      'a key that every object inherits',
      { configMap: { name: 'settings', items: [{ key: 'constructor', path: 'x' }] } },
      'MountVolume.SetUp failed for volume "v" : references non-existent config key: constructor',
    ],
    [
      'a path to the versions of the volume',
      { configMap: { name: 'settings', items: [{ key: 'COLOR', path: '..data' }] } },
      'MountVolume.SetUp failed for volume "v" : path ..data is no name for a file of a volume',
    ],
    [
      'a path to the volume itself',
      { configMap: { name: 'settings', items: [{ key: 'COLOR', path: './' }] } },
      'MountVolume.SetUp failed for volume "v" : path ./ is no name for a file of a volume',
    ],
    [
      'a path in the middle that leads out',
      { configMap: { name: 'settings', items: [{ key: 'COLOR', path: 'a/../../b' }] } },
      'MountVolume.SetUp failed for volume "v" : path a/../../b leaves the volume',
    ],
    [
      'a file in a file',
      {
        configMap: {
          name: 'settings',
          items: [
            { key: 'COLOR', path: 'a/b' },
            { key: 'COLOR', path: 'a' },
          ],
        },
      },
      'MountVolume.SetUp failed for volume "v" : path a/b is in a, which is a file',
    ],
    [
      'path leads out',
      { configMap: { name: 'settings', items: [{ key: 'COLOR', path: '../x' }] } },
      'MountVolume.SetUp failed for volume "v" : path ../x leaves the volume',
    ],
  ] as const) {
    it(what, () => assert.deepEqual(planVolumes(withVolume(volume), objects, folders), { ok: false, message }));
  }
  for (const key of ['.', '..', '..data']) {
    it(`refuses an object that has the key ${key}, however it came there`, () => {
      const odd = { ...settings, data: { [key]: 'x' } };
      const plan = planVolumes(
        withVolume({ configMap: { name: 'settings' } }),
        { ...objects, configMap: () => odd },
        folders,
      );
      assert.ok(!plan.ok && plan.message.includes(`path ${key} `), JSON.stringify(plan));
    });
  }
  it('writes paths in their short form, the later of two at one path', () => {
    const plan = planVolumes(
      withVolume({
        configMap: {
          name: 'settings',
          items: [
            { key: 'odd key', path: 'a//b' },
            { key: 'COLOR', path: './a/b/' },
          ],
        },
      }),
      objects,
      folders,
    );
    assert.ok(plan.ok && plan.value[0]?.kind === 'files');
    assert.deepEqual(
      plan.value[0].files.map((file) => [file.path, file.content.toString()]),
      [['a/b', 'blue']],
    );
  });
  it('lets what is optional be missing', () => {
    const plan = planVolumes(withVolume({ secret: { secretName: 'none', optional: true } }), NO_OBJECTS, folders);
    assert.ok(plan.ok && plan.value[0]?.kind === 'files' && plan.value[0].files.length === 0);
  });
  it('has a version that follows the objects', () => {
    const one = withVolume({ configMap: { name: 'settings' } });
    assert.notEqual(volumesVersion(one, objects), volumesVersion(one, NO_OBJECTS));
    assert.deepEqual(
      [...referredKeys(one)],
      ['configmaps/default/settings'].map((key) => key),
    );
  });
});

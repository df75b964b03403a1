/** For each check of the standard pods that pass it and pods that fail it, as Kubernetes' own fixtures do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SecuredContainer, SecuredPod, SecuredSpec } from '../../../reconciler/core/pod-security/check.ts';
import { LATEST_MINOR, type Level, type LevelVersion } from '../../../reconciler/core/pod-security/policy.ts';
import { CHECKS, violated } from '../../../reconciler/core/pod-security/violations.ts';

type Security = NonNullable<SecuredContainer['securityContext']>;

const HARDENED: Security = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
};
const HARDENED_POD: SecuredSpec['securityContext'] = {
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
function container(fields: Partial<SecuredContainer> = {}, security: Security = {}): SecuredContainer {
  return { name: 'a', image: 'a:1', ...fields, securityContext: { ...HARDENED, ...security } };
}
/** A pod that violates nothing but what is said here. */
function pod(
  spec: Partial<SecuredSpec> & { readonly [source: string]: unknown } = {},
  annotations: Record<string, string> = {},
): SecuredPod {
  return { annotations, spec: { containers: [container()], securityContext: HARDENED_POD, ...spec } };
}
const secured = (security: Security): SecuredPod => pod({ containers: [container({}, security)] });
const forPod = (security: SecuredSpec['securityContext']): SecuredPod =>
  pod({ securityContext: { ...HARDENED_POD, ...security } });
const volume = (source: object, name = 'v'): SecuredPod => pod({ volumes: [{ name, ...source }] });
const sysctl = (...names: readonly string[]): SecuredPod => forPod({ sysctls: names.map((name) => ({ name })) });
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/a';
const inOwnUsers = ({ annotations, spec }: SecuredPod): SecuredPod => ({
  annotations,
  spec: { ...spec, hostUsers: false },
});
const plain = { securityContext: {} };

interface Fixture {
  readonly passes: readonly SecuredPod[];
  /** What is told of the pod, at the latest version. */
  readonly fails: readonly (readonly [told: string, SecuredPod])[];
  /** Pods that the version before this one judged otherwise. */
  readonly until?: readonly (readonly [minor: number, told: string | undefined, SecuredPod])[];
}

const FIXTURES: Readonly<Record<string, Fixture>> = {
  appArmorProfile: {
    passes: [
      secured({ appArmorProfile: { type: 'RuntimeDefault' } }),
      secured({ appArmorProfile: { type: 'Localhost' } }),
      pod({}, { [APP_ARMOR]: 'localhost/mine', other: 'unconfined' }),
    ],
    fails: [
      [
        'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
        secured({ appArmorProfile: { type: 'Unconfined' } }),
      ],
      [
        'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
        forPod({ appArmorProfile: { type: 'Unconfined' } }),
      ],
      [
        `forbidden AppArmor profile (annotation must not set AppArmor profile type to "${APP_ARMOR}=unconfined")`,
        pod({}, { [APP_ARMOR]: 'unconfined' }),
      ],
    ],
  },
  capabilities_baseline: {
    passes: [
      secured({ capabilities: { add: ['CHOWN', 'SYS_CHROOT'] } }),
      pod({ containers: [{ ...container(), ...plain }] }),
    ],
    fails: [
      [
        'non-default capabilities (container "a" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
        secured({ capabilities: { add: ['SYS_ADMIN', 'CHOWN', 'NET_RAW'] } }),
      ],
    ],
  },
  hostNamespaces: {
    passes: [pod({ hostNetwork: false, hostPID: false, hostIPC: false })],
    fails: [
      ['host namespaces (hostNetwork=true, hostPID=true)', pod({ hostNetwork: true, hostPID: true })],
      ['host namespaces (hostIPC=true)', pod({ hostIPC: true })],
    ],
  },
  hostPathVolumes: {
    passes: [volume({ emptyDir: {} }), volume({ nfs: {} })],
    fails: [['hostPath volumes (volume "v")', volume({ hostPath: { path: '/' } })]],
  },
  hostPorts: {
    passes: [pod({ containers: [container({ ports: [{}, { hostPort: 0 }] })] })],
    fails: [
      [
        'hostPort (container "a" uses hostPorts 443, 80)',
        pod({ containers: [container({ ports: [{ hostPort: 80 }, { hostPort: 443 }] })] }),
      ],
    ],
  },
  hostProbesAndHostLifecycle: {
    passes: [pod({ containers: [container({ livenessProbe: { httpGet: {} }, lifecycle: {} })] })],
    fails: [
      [
        'probe or lifecycle host (container "a" uses probe or lifecycle host "127.0.0.1")',
        pod({ containers: [container({ readinessProbe: { tcpSocket: { host: '127.0.0.1' } } })] }),
      ],
      [
        'probe or lifecycle host (containers "b", "a" use probe or lifecycle hosts "x", "y")',
        pod({
          initContainers: [container({ name: 'b', startupProbe: { httpGet: { host: 'y' } } })],
          containers: [container({ lifecycle: { preStop: { httpGet: { host: 'x' } } } })],
        }),
      ],
    ],
    until: [[34, undefined, pod({ containers: [container({ livenessProbe: { httpGet: { host: 'x' } } })] })]],
  },
  privileged: {
    passes: [secured({ privileged: false })],
    fails: [
      [
        'privileged (containers "i", "e" must not set securityContext.privileged=true)',
        pod({
          initContainers: [container({ name: 'i' }, { privileged: true })],
          ephemeralContainers: [container({ name: 'e' }, { privileged: true })],
        }),
      ],
    ],
  },
  procMount: {
    passes: [secured({ procMount: 'Default' }), inOwnUsers(secured({ procMount: 'Unmasked' }))],
    fails: [
      [
        'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
        secured({ procMount: 'Unmasked' }),
      ],
    ],
  },
  seLinuxOptions: {
    passes: [secured({ seLinuxOptions: { type: 'container_kvm_t' } }), forPod({ seLinuxOptions: {} })],
    fails: [
      [
        'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: role may not be set; type "spc_t"; user may not be set)',
        pod({
          containers: [container({}, { seLinuxOptions: { type: 'spc_t', user: 'u' } })],
          securityContext: { ...HARDENED_POD, seLinuxOptions: { role: 'r' } },
        }),
      ],
    ],
    until: [
      [
        31,
        'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
        secured({ seLinuxOptions: { type: 'container_engine_t' } }),
      ],
    ],
  },
  seccompProfile_baseline: {
    passes: [pod({ securityContext: {} }), secured({ seccompProfile: { type: 'Localhost' } })],
    fails: [
      [
        'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
        secured({ seccompProfile: { type: 'Unconfined' } }),
      ],
    ],
    until: [[19, undefined, secured({ seccompProfile: { type: 'Unconfined' } })]],
  },
  sysctls: {
    passes: [sysctl('kernel.shm_rmid_forced', 'net.ipv4.tcp_wmem', 'net.ipv4.tcp_fin_timeout')],
    fails: [['forbidden sysctls (kernel.msgmax, net.core.somaxconn)', sysctl('net.core.somaxconn', 'kernel.msgmax')]],
    until: [
      [27, 'forbidden sysctls (net.ipv4.ip_local_reserved_ports)', sysctl('net.ipv4.ip_local_reserved_ports')],
      [29, 'forbidden sysctls (net.ipv4.tcp_keepalive_time)', sysctl('net.ipv4.tcp_keepalive_time')],
      [32, 'forbidden sysctls (net.ipv4.tcp_rmem)', sysctl('net.ipv4.tcp_rmem')],
    ],
  },
  allowPrivilegeEscalation: {
    passes: [pod()],
    fails: [
      [
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
        pod({ containers: [{ ...container(), securityContext: { capabilities: { drop: ['ALL'] } } }] }),
      ],
    ],
    until: [[8, undefined, secured({ allowPrivilegeEscalation: true })]],
  },
  capabilities_restricted: {
    passes: [secured({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } })],
    fails: [
      [
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])',
        secured({ capabilities: { drop: ['CHOWN'] } }),
      ],
      [
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN" in securityContext.capabilities.add)',
        secured({ capabilities: { add: ['CHOWN'] } }),
      ],
    ],
    until: [[22, undefined, secured({ capabilities: { add: ['CHOWN'] } })]],
  },
  procMount_restricted: {
    passes: [secured({ procMount: 'Default' })],
    fails: [
      [
        'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
        inOwnUsers(secured({ procMount: 'Unmasked' })),
      ],
    ],
  },
  restrictedVolumes: {
    passes: [
      ...[
        'configMap',
        'csi',
        'downwardAPI',
        'emptyDir',
        'ephemeral',
        'image',
        'persistentVolumeClaim',
        'projected',
        'secret',
      ].map((source) => volume({ [source]: {} })),
    ],
    fails: [
      [
        'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
        pod({
          volumes: [volume({ nfs: {} }), volume({ hostPath: {} }, 'w')].flatMap(({ spec }) => spec.volumes ?? []),
        }),
      ],
    ],
  },
  runAsNonRoot: {
    passes: [
      pod({ securityContext: { ...HARDENED_POD, runAsNonRoot: false }, hostUsers: false }),
      pod({
        containers: [container({}, { runAsNonRoot: true })],
        securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      }),
    ],
    fails: [
      [
        'runAsNonRoot != true (pod or containers "i", "a" must set securityContext.runAsNonRoot=true)',
        pod({
          initContainers: [container({ name: 'i' })],
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
        }),
      ],
      [
        'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
        secured({ runAsNonRoot: false }),
      ],
      ['runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)', forPod({ runAsNonRoot: false })],
    ],
    until: [
      [
        35,
        'runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)',
        pod({ securityContext: { ...HARDENED_POD, runAsNonRoot: false }, hostUsers: false }),
      ],
    ],
  },
  runAsUser: {
    passes: [secured({ runAsUser: 1000 }), pod({ containers: [container({}, { runAsUser: 0 })], hostUsers: false })],
    fails: [['runAsUser=0 (pod must not set runAsUser=0)', forPod({ runAsUser: 0 })]],
    until: [[23, undefined, secured({ runAsUser: 0 })]],
  },
  seccompProfile_restricted: {
    passes: [
      pod({
        containers: [container({}, { seccompProfile: { type: 'Localhost' } })],
        securityContext: { runAsNonRoot: true },
      }),
    ],
    fails: [
      [
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
        pod({ securityContext: { runAsNonRoot: true } }),
      ],
      [
        'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        forPod({ seccompProfile: { type: 'Unconfined' } }),
      ],
    ],
    until: [[19, undefined, pod({ securityContext: { runAsNonRoot: true } })]],
  },
};

const told = (level: Level, version: LevelVersion['version'], asked: SecuredPod): string | undefined =>
  violated({ level, version }, asked)?.replace(/^PodSecurity "[^"]+": /, '');

describe('checks of the Pod Security Standards', () => {
  it('have a fixture each', () => {
    assert.deepEqual(CHECKS.map(({ id }) => id).sort(), Object.keys(FIXTURES).sort());
  });

  for (const { id, level } of CHECKS) {
    const fixture = FIXTURES[id];
    it(id, () => {
      assert.ok(fixture);
      for (const passing of fixture.passes) assert.equal(told(level, 'latest', passing), undefined);
      for (const [expected, failing] of fixture.fails) {
        assert.equal(told(level, 'latest', failing), expected);
        assert.equal(told('privileged', 'latest', failing), undefined);
      }
      for (const [minor, before, judged] of fixture.until ?? []) {
        assert.equal(told(level, minor - 1, judged), before, `before 1.${minor}`);
        assert.notEqual(told(level, minor, judged), before, `from 1.${minor} on`);
      }
    });
  }

  it('name the level, the version, and all that is wrong in the order of Kubernetes', () => {
    const bare: SecuredPod = { annotations: {}, spec: { containers: [{ name: 'x', image: 'x' }] } };
    assert.equal(
      violated({ level: 'restricted', version: 'latest' }, bare),
      'PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "x" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "x" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "x" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "x" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    assert.match(violated({ level: 'restricted', version: 20 }, bare) ?? '', /^PodSecurity "restricted:v1\.20": /);
  });

  it('name a bounded number of containers', () => {
    const containers = Array.from({ length: 1000 }, (_, n) => container({ name: `c${n}` }, { privileged: true }));
    assert.match(told('baseline', 'latest', pod({ containers })) ?? '', /"c19" and 980 more must not set/);
  });

  it('of a version that is not known yet are those of the latest', () => {
    for (const { fails } of Object.values(FIXTURES))
      for (const [, failing] of fails)
        assert.equal(told('restricted', LATEST_MINOR + 7, failing), told('restricted', 'latest', failing));
  });
});

const some = <T>(...values: readonly T[]): fc.Arbitrary<T | undefined> => fc.constantFrom(undefined, ...values);
const profile = some({ type: 'RuntimeDefault' }, { type: 'Localhost' }, { type: 'Unconfined' });
const shared = {
  runAsUser: some(0, 1000),
  runAsNonRoot: some(true, false),
  seccompProfile: profile,
  appArmorProfile: profile,
  seLinuxOptions: some({ type: 'container_t' }, { type: 'container_engine_t' }, { type: 'spc_t' }, { user: 'u' }),
};
const handler = some({ httpGet: { host: 'h' } }, { httpGet: {} }, { tcpSocket: { host: 'h' } });
const anyContainer: fc.Arbitrary<SecuredContainer> = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  image: fc.constant('i'),
  ports: some([{ hostPort: 80 }], [{}]),
  livenessProbe: handler,
  lifecycle: fc.record({ preStop: handler }),
  securityContext: fc.record({
    ...shared,
    privileged: some(true, false),
    allowPrivilegeEscalation: some(true, false),
    procMount: some('Default', 'Unmasked'),
    capabilities: some<{ add?: string[]; drop?: string[] }>(
      { drop: ['ALL'] },
      { add: ['SYS_ADMIN'] },
      { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
      { drop: ['ALL'], add: ['CHOWN'] },
    ),
  }),
});
const anyPod: fc.Arbitrary<SecuredPod> = fc.record({
  annotations: fc.constantFrom({}, { [APP_ARMOR]: 'unconfined' }, { [APP_ARMOR]: 'runtime/default' }),
  spec: fc.record({
    containers: fc.array(anyContainer, { minLength: 1, maxLength: 2 }),
    initContainers: fc.array(anyContainer, { maxLength: 1 }),
    ephemeralContainers: fc.array(anyContainer, { maxLength: 1 }),
    hostNetwork: fc.boolean(),
    hostUsers: some(true, false),
    volumes: some([{ name: 'v', hostPath: {} }], [{ name: 'v', secret: {} }], [{ name: 'v', nfs: {} }]),
    securityContext: fc.record({
      ...shared,
      sysctls: some([{ name: 'kernel.msgmax' }], [{ name: 'net.ipv4.tcp_rmem' }]),
    }),
  }),
});
/** Hardened but for one part, so that many are let through. */
const nearlyHardened = fc
  .tuple(anyPod, fc.constantFrom('hostNetwork', 'hostUsers', 'volumes', 'securityContext', 'initContainers'))
  .map(([any, part]): SecuredPod => pod({ [part]: any.spec[part] }, any.annotations));

describe('levels', () => {
  it('are nested: what restricted lets through, baseline does, and privileged lets everything through', () => {
    let passed = 0;
    fc.assert(
      fc.property(fc.oneof(anyPod, nearlyHardened), fc.integer({ min: 0, max: LATEST_MINOR + 2 }), (any, version) => {
        assert.equal(told('privileged', version, any), undefined);
        if (told('restricted', version, any) !== undefined) return;
        passed += 1;
        assert.equal(told('baseline', version, any), undefined);
      }),
      { numRuns: 3000 },
    );
    assert.ok(passed > 100, `the property saw ${passed} pods that restricted lets through`);
  });
});

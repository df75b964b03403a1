/** Of pods: see mistakes.ts. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { findsIt, pod, type Case } from './mistakes.ts';

const annotated = (annotation: string, spec: string): string =>
  pod(spec).replace('  name: web\n', `  name: web\n  annotations:\n    ${annotation}\n`);

const CASES: readonly Case[] = [
  [
    "a resource that is no pod's as a whole",
    pod('  resources: {limits: {ephemeral-storage: ▶1Gi}}\n'),
    'UnknownResource',
    /resources\.limits\.ephemeral-storage is not for a pod as a whole/,
  ],
  [
    'less for a pod than its containers ask for',
    pod('    resources: {requests: {cpu: 200m}}\n  resources: {requests: {cpu: ▶100m}}\n'),
    'InvalidValue',
    /requests\.cpu must be greater than or equal to aggregate container requests of 200m, found 100m/,
  ],
  [
    'more for a container than its pod may have',
    pod('    resources: {limits: {memory: ▶2Gi}, requests: {memory: 1Mi}}\n  resources: {limits: {memory: 1Gi}}\n'),
    'InvalidValue',
    /containers\[0\]\.resources\.limits\.memory must be less than or equal to pod limits of 1Gi, found 2Gi/,
  ],
  [
    'a stop signal for a pod that does not say for which system',
    pod('    lifecycle: {stopSignal: ▶SIGQUIT}\n'),
    'InvalidValue',
    /containers\[0\]\.lifecycle\.stopSignal may only be set where spec\.os\.name is/,
  ],
  [
    'a stop signal that is none',
    pod('    lifecycle: {stopSignal: ▶QUIT}\n  os: {name: linux}\n'),
    'InvalidValue',
    /lifecycle\.stopSignal must be the name of a signal, such as SIGQUIT/,
  ],
  ['a pod of another system', pod('  os: {name: ▶windows}\n'), 'InvalidValue', /spec\.os\.name must be linux/],
  [
    'all of /proc for a pod with the users of its node',
    pod('    securityContext:\n      procMount: ▶Unmasked\n'),
    'InvalidValue',
    /procMount may be Unmasked only where hostUsers of the pod is false/,
  ],
  [
    'an AppArmor profile that only an annotation says',
    annotated('container.apparmor.security.beta.kubernetes.io/web: ▶localhost/shop', ''),
    'UnsupportedField',
    /annotations\[container\.apparmor\.security\.beta\.kubernetes\.io\/web\] is the older form of a field, and Plumbline acts on the field alone; write securityContext: \{appArmorProfile: \{type: Localhost, localhostProfile: shop\}\} in container web/,
  ],
  [
    'no AppArmor, by an annotation, where its pod has a profile',
    annotated(
      'container.apparmor.security.beta.kubernetes.io/web: ▶unconfined',
      '  securityContext: {appArmorProfile: {type: Localhost, localhostProfile: shop}}\n',
    ),
    'UnsupportedField',
    /write securityContext: \{appArmorProfile: \{type: Unconfined\}\} in container web/,
  ],
  [
    'an AppArmor profile that is another one in the annotation',
    annotated(
      'container.apparmor.security.beta.kubernetes.io/web: ▶localhost/other',
      '    securityContext: {appArmorProfile: {type: Localhost, localhostProfile: shop}}\n',
    ),
    'InvalidValue',
    /must say the same as securityContext\.appArmorProfile of container web; remove it/,
  ],
  [
    'an AppArmor profile for a container that is not there',
    annotated('container.apparmor.security.beta.kubernetes.io/wep: ▶localhost/shop', ''),
    'InvalidValue',
    /names no container of this pod/,
  ],
  [
    'an annotation that is no AppArmor profile',
    annotated('container.apparmor.security.beta.kubernetes.io/web: ▶shop', ''),
    'InvalidValue',
    /is no AppArmor profile: "shop"; runtime\/default, unconfined or localhost\/NAME/,
  ],
  [
    'a container for a look at a pod, in a manifest',
    pod('  ▶ephemeralContainers: [{name: look, image: busybox}]\n'),
    'UnsupportedField',
    /no manifest has it, nor in Kubernetes; plumb debug puts one into a running pod/,
  ],
  [
    'a mode of the folder of an emptyDir',
    pod('  volumes: [{name: tmp, emptyDir: {▶mode: 01777}}]\n'),
    'UnsupportedField',
    /field spec\.volumes\[0\]\.emptyDir\.mode is a Kubernetes field/,
  ],
  [
    'users of its own among the processes of its node',
    pod('  hostUsers: false\n  hostPID: ▶true\n'),
    'ForbiddenField',
    /hostPID may not be true when hostUsers is false/,
  ],
];

describe('one mistake in what a pod wants of its node is one finding at its place', () => {
  for (const one of CASES) findsIt(one);
});

describe('an annotation of a pod that a field took the place of', () => {
  const found = (manifest: string): readonly string[] =>
    composeState([parseManifest('f.yaml', 'oid', new TextEncoder().encode(manifest))], []).diagnostics.map(
      formatDiagnostic,
    );

  it('may say of AppArmor what the field says, and what is so anyhow', () => {
    const prefix = 'container.apparmor.security.beta.kubernetes.io';
    assert.deepEqual(found(annotated(`${prefix}/web: runtime/default`, '')), []);
    assert.deepEqual(found(annotated(`${prefix}/web: ""`, '')), []);
    const own = '    securityContext: {appArmorProfile: {type: Localhost, localhostProfile: shop}}\n';
    assert.deepEqual(found(annotated(`${prefix}/web: localhost/shop`, own)), []);
    const ofPod = '  securityContext: {appArmorProfile: {type: Unconfined}}\n';
    assert.deepEqual(found(annotated(`${prefix}/web: unconfined`, ofPod)), []);
  });

  it('is told of where it does nothing in Kubernetes either', () => {
    assert.deepEqual(found(annotated('seccomp.security.alpha.kubernetes.io/pod: localhost/shop.json', '')), [
      'f.yaml:6:47 AnnotationIgnored warning: metadata.annotations[seccomp.security.alpha.kubernetes.io/pod] does nothing, as in Kubernetes since 1.27; write securityContext.seccompProfile of the pod',
    ]);
    assert.match(
      found(annotated('container.seccomp.security.alpha.kubernetes.io/web: runtime/default', '')).join(),
      /AnnotationIgnored warning: .* write securityContext\.seccompProfile of the container/,
    );
  });
});

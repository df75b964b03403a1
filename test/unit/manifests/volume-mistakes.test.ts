/** Of volumes: see mistakes.ts. */
import { describe } from 'node:test';
import { findsIt, pod, type Case } from './mistakes.ts';

const mounted = (mount: string, rest = ''): string =>
  pod(`    volumeMounts:\n    - {name: v, mountPath: /v, ${mount}}\n${rest}  volumes:\n  - {name: v, emptyDir: {}}\n`);
const volume = (source: string): string => pod(`  volumes:\n  - name: v\n    ${source}\n`);

const CASES: readonly Case[] = [
  [
    'a field that an environment is not told of',
    pod('    env:\n    - name: A\n      valueFrom: {fieldRef: {fieldPath: ▶metadata.labels}}\n'),
    'InvalidValue',
    /must be metadata\.name, .* or metadata\.annotations\['KEY'\], found metadata\.labels/,
  ],
  [
    'a field that files do not tell of',
    volume('downwardAPI: {items: [{path: a, fieldRef: {fieldPath: ▶status.podIP}}]}'),
    'InvalidValue',
    /must be metadata\.name, .* found status\.podIP/,
  ],
  [
    'a resource that is none',
    pod('    env:\n    - name: A\n      valueFrom: {resourceFieldRef: {resource: ▶limits.cpus}}\n'),
    'InvalidValue',
    /found limits\.cpus; did you mean limits\.cpu\?/,
  ],
  [
    'a divisor of memory for cpu',
    pod('    env:\n    - name: A\n      valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: ▶1Mi}}\n'),
    'InvalidValue',
    /must be 1m or 1, found 1Mi/,
  ],
  [
    'a resource of no container in a volume',
    volume('downwardAPI: {items: [{path: a, ▶resourceFieldRef: {resource: limits.cpu}}]}'),
    'MissingField',
    /containerName is required in a volume/,
  ],
  [
    'a resource of a container that the pod lacks',
    volume('downwardAPI: {items: [{path: a, resourceFieldRef: {containerName: ▶wep, resource: limits.cpu}}]}'),
    'InvalidValue',
    /names the container wep, .* did you mean web/,
  ],
  [
    'a file that tells of nothing',
    volume('downwardAPI: {items: [▶{path: a}]}'),
    'InvalidValue',
    /must have exactly one of fieldRef, resourceFieldRef/,
  ],
  [
    'a file outside its volume',
    volume('projected: {sources: [{downwardAPI: {items: [{path: ▶../a, fieldRef: {fieldPath: metadata.name}}]}}]}'),
    'InvalidValue',
    /must be a relative path/,
  ],
  [
    'two files at one path',
    volume(
      'projected: {sources: [{secret: {name: a, optional: true, items: [{key: b, path: c}]}}, {configMap: {name: a, optional: true, items: [{key: b, path: ▶c}]}}]}',
    ),
    'DuplicateName',
    /c is the path of another file of this volume/,
  ],
  [
    'two things in one projection',
    volume('projected: {sources: [▶{secret: {name: a, optional: true}, configMap: {name: a, optional: true}}]}'),
    'InvalidValue',
    /must have at most one of configMap, downwardAPI, secret/,
  ],
  [
    'trust in authorities that nobody keeps',
    volume('projected: {sources: [{▶clusterTrustBundle: {path: ca}}]}'),
    'UnsupportedField',
    /clusterTrustBundle is a Kubernetes field/,
  ],
  ['a mode that is none', volume('projected: {defaultMode: ▶01777}'), 'InvalidValue', /must be between 0 and 0777/],
  [
    'a device of a type that is none',
    volume('hostPath: {path: /dev/sda, type: ▶BlockDev}'),
    'InvalidValue',
    /must be .*CharDevice or BlockDevice/,
  ],
  [
    'a server that is an option',
    volume('nfs: {server: ▶-oexec, path: /a}'),
    'InvalidValue',
    /must be a host name or an address/,
  ],
  ['a path of a server', volume('nfs: {server: files, path: ▶a}'), 'InvalidValue', /must be an absolute path/],
  [
    'a part and an expression',
    mounted('subPath: a, subPathExpr: ▶b'),
    'ForbiddenField',
    /may not be set together with subPath/,
  ],
  ['an expression that leads out', mounted('subPathExpr: ▶../b'), 'InvalidValue', /must be a relative path/],
  [
    'mounts that would reach the host',
    mounted('mountPropagation: ▶Bidirectional'),
    'InvalidValue',
    /may be Bidirectional only in a privileged container/,
  ],
  [
    'a mount that is read-only below only',
    mounted('recursiveReadOnly: ▶Enabled'),
    'ForbiddenField',
    /may be set only when readOnly is true/,
  ],
  [
    'a mount that is read-only below and changes',
    mounted('readOnly: true, recursiveReadOnly: ▶IfPossible, mountPropagation: HostToContainer'),
    'ForbiddenField',
    /may be set only when mountPropagation is None/,
  ],
  [
    'a class of a cloud',
    'apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: fast}\nprovisioner: ▶ebs.csi.aws.com\n',
    'InvalidValue',
    /provisioner must be one that makes volumes here \(plumbline\.dev\/local, .*\); without a class a claim is a folder on its pod's node, found text "ebs\.csi\.aws\.com"/,
  ],
];

describe('one mistake in volumes is one finding at its place', () => {
  for (const one of CASES) findsIt(one);
});

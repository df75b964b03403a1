import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KINDS, type Kind } from '../../../contracts/objects/index.ts';
import { parseManifest } from '../../../reconciler/core/manifests/index.ts';

/** What a manifest is refused for: code and field. */
function refusals(kind: Kind, body: string): string[] {
  const text = `apiVersion: ${KINDS[kind].apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n${body}\n`;
  return parseManifest('f.yaml', 'oid', new TextEncoder().encode(text)).diagnostics.map(
    ({ code, message }) => `${code} ${message.split(' ')[0] ?? ''}`,
  );
}

const claim = (fields: string): string[] => refusals('PersistentVolumeClaim', `spec: {${fields}}`);
const volume = (fields: string): string[] => refusals('PersistentVolume', `spec: {${fields}}`);
const storageClass = (fields: string): string[] => refusals('StorageClass', fields);
const share = (parameters: string, more = '', provisioner = 'nfs.csi.k8s.io'): string[] =>
  storageClass(`provisioner: ${provisioner}\nparameters: {${parameters}}\n${more}`);
const ASKS = 'resources: {requests: {storage: 1Gi}}';
const RWO = 'accessModes: [ReadWriteOnce]';
const GIVES = `${RWO}, capacity: {storage: 1Gi}`;
const HERE =
  'nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n1]}]}]}}';

/** Source: Kubernetes pkg/apis/core/validation and pkg/apis/storage/validation. */
describe('claims, volumes and classes', () => {
  const cases: readonly (readonly [string, string[], string[]])[] = [
    ['a claim', claim(`${RWO}, ${ASKS}, volumeMode: Filesystem, storageClassName: ""`), []],
    ['a claim in no way', claim(`accessModes: [], ${ASKS}`), ['InvalidValue spec.accessModes']],
    [
      'a claim for one pod, and for many',
      claim(`accessModes: [ReadWriteOncePod, ReadWriteMany], ${ASKS}`),
      ['InvalidValue spec.accessModes'],
    ],
    ['a claim for nothing', claim(`${RWO}, resources: {}`), ['MissingField spec.resources.requests']],
    [
      'a claim for no byte',
      claim(`${RWO}, resources: {requests: {storage: 0}}`),
      ['InvalidValue spec.resources.requests.storage'],
    ],
    ['a device', claim(`${RWO}, ${ASKS}, volumeMode: Block`), ['UnsupportedField field']],
    ['a copy', claim(`${RWO}, ${ASKS}, dataSource: {kind: A, name: a}`), ['UnsupportedField field']],
    [
      'a class whose volumes are held to their size',
      storageClass(
        'provisioner: plumbline.dev/local\nvolumeBindingMode: WaitForFirstConsumer\nparameters: {size: enforced}',
      ),
      [],
    ],
    [
      'a parameter of another provisioner',
      storageClass(
        'provisioner: plumbline.dev/local\nvolumeBindingMode: WaitForFirstConsumer\nparameters: {type: gp3}',
      ),
      ['UnknownField unknown'],
    ],
    [
      'a parameter that nobody reads',
      storageClass('provisioner: kubernetes.io/no-provisioner\nparameters: {size: enforced}'),
      ['InvalidValue parameters.size'],
    ],
    ['a class of csi-driver-nfs', share('server: s.lan, share: /srv'), []],
    [
      'all that csi-driver-nfs reads',
      share(
        'server: 10.0.0.1, share: /, subDir: "${pvc.metadata.namespace}/${pvc.metadata.name}-${pv.metadata.name}", ' +
          'mountPermissions: "0775", onDelete: archive, csi.storage.k8s.io/provisioner-secret-name: a, ' +
          'csi.storage.k8s.io/provisioner-secret-namespace: b',
        'mountOptions: [nfsvers=4.1, hard]',
      ),
      [],
    ],
    [
      'a class of nfs-subdir-external-provisioner',
      share(
        'server: s, share: /srv, pathPattern: "${.PVC.namespace}/${.PVC.annotations.nfs.io/storage-path}", ' +
          'archiveOnDelete: "false"',
        '',
        'k8s-sigs.io/nfs-subdir-external-provisioner',
      ),
      [],
    ],
    [
      'one whose server is in its Deployment',
      share('archiveOnDelete: "false"', '', 'k8s-sigs.io/nfs-subdir-external-provisioner'),
      ['InvalidValue parameters.server', 'InvalidValue parameters.share'],
    ],
    [
      'a word of another provisioner',
      share('server: s, share: /, archiveOnDelete: "true"'),
      ['InvalidValue parameters.archiveOnDelete'],
    ],
    ['a folder elsewhere', share('server: s, share: /, subDir: a/../../b'), ['InvalidValue parameters.subDir']],
    ['the place of our notes', share('server: s, share: /, subDir: .plumbline/x'), ['InvalidValue parameters.subDir']],
    [
      'a word that is not known',
      share('server: s, share: /, subDir: "${pvc.name}"'),
      ['InvalidValue parameters.subDir'],
    ],
    ['setuid', share('server: s, share: /, mountPermissions: "4777"'), ['InvalidValue parameters.mountPermissions']],
    ['a server that is an option of mount', share('server: -o, share: /'), ['InvalidValue parameters.server']],
    [
      'options of nothing that is mounted',
      storageClass('provisioner: kubernetes.io/no-provisioner\nmountOptions: [hard]'),
      ['InvalidValue mountOptions'],
    ],
    ['a volume of a folder', volume(`${GIVES}, hostPath: {path: /srv}`), []],
    ['a volume of a node', volume(`${GIVES}, local: {path: /srv}, ${HERE}`), []],
    ['a volume of no node', volume(`${GIVES}, local: {path: /srv}`), ['InvalidValue spec.nodeAffinity']],
    ['a volume of a server', volume(`${GIVES}, nfs: {server: s, path: /a}, mountOptions: [hard]`), []],
    [
      'a server that is an option',
      volume(`${GIVES}, nfs: {server: -oexec, path: /a}`),
      ['InvalidValue spec.nfs.server'],
    ],
    ['a volume of nothing', volume(GIVES), ['InvalidValue spec']],
    [
      'a volume of two things',
      volume(`${GIVES}, hostPath: {path: /a}, nfs: {server: s, path: /a}`),
      ['InvalidValue spec'],
    ],
    [
      'options of a folder',
      volume(`${GIVES}, hostPath: {path: /a}, mountOptions: [hard]`),
      ['InvalidValue spec.mountOptions'],
    ],
    ['a way out', volume(`${GIVES}, hostPath: {path: /a/../b}`), ['InvalidValue spec.hostPath.path']],
    ['a path from nowhere', volume(`${GIVES}, hostPath: {path: a}`), ['InvalidValue spec.hostPath.path']],
    [
      'a policy of the past',
      volume(`${GIVES}, hostPath: {path: /a}, persistentVolumeReclaimPolicy: Recycle`),
      ['InvalidValue spec.persistentVolumeReclaimPolicy'],
    ],
    ['a volume of a driver', volume(`${GIVES}, csi: {driver: d, volumeHandle: h}`), ['UnsupportedField field']],
    ['a class of ours', storageClass('provisioner: plumbline.dev/local\nvolumeBindingMode: WaitForFirstConsumer'), []],
    ['a class without a provisioner', storageClass('provisioner: kubernetes.io/no-provisioner'), []],
    [
      'a class of ours on no node',
      storageClass('provisioner: plumbline.dev/local'),
      ['InvalidValue volumeBindingMode'],
    ],
    ["somebody else's class", storageClass('provisioner: ebs.csi.aws.com'), ['InvalidValue provisioner']],
  ];
  for (const [name, found, refused] of cases) {
    it(`${name}: ${refused.join() || 'taken'}`, () => assert.deepEqual(found, refused));
  }
});

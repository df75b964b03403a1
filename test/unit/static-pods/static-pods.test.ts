/** Pods of a node's own files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, type Pod, type StoredPod } from '../../../contracts/objects/index.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { staticPods, type NodeFile, type StaticPods } from '../../../reconciler/core/static-pods/files.ts';
import { isStaticPod, staticSteps, type MayBeStatic } from '../../../reconciler/core/static-pods/static-pod.ts';

const read = (node: string, files: readonly NodeFile[]): StaticPods => finish(staticPods(node, files));
const file = (name: string, spec = '', metadata = ''): NodeFile => ({
  name,
  text: `apiVersion: v1
kind: Pod
metadata: {name: proxy${metadata}}
spec:
  containers: [{name: main, image: 'proxy:1'}]
${spec}`,
});
const only = (one: NodeFile, node = 'n1'): Pod => {
  const { pods, refused } = read(node, [one]);
  assert.deepEqual([pods.length, refused], [1, []]);
  return pods[0] ?? assert.fail();
};
const stored = ({ metadata, ...pod }: Pod, more: object = {}): StoredPod => ({
  ...pod,
  metadata: {
    ...metadata,
    namespace: 'kube-system',
    uid: `uid-${metadata.name}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...more,
  },
});

describe('a pod of a file', () => {
  it("has the node's name behind its own, is bound to it, is never taken off it, and says where it is from", () => {
    const { metadata, spec } = only(file('proxy.yaml', '', ', annotations: {a: b}'));
    assert.deepEqual([metadata.name, metadata.namespace, spec.nodeName], ['proxy-n1', 'kube-system', 'n1']);
    assert.deepEqual(spec.tolerations, [{ operator: 'Exists', effect: 'NoExecute' }]);
    const { a, 'kubernetes.io/config.source': source } = metadata.annotations ?? {};
    assert.deepEqual([a, source], ['b', 'file']);
    assert.equal(spec.terminationGracePeriodSeconds, 30, 'it has the defaults of all pods');
    assert.equal(spec.serviceAccountName, undefined);
  });

  it('has no labels: nothing of others selects it', () => {
    assert.equal(only(file('proxy.yaml', '', ', labels: {app: web}')).metadata.labels, undefined);
  });

  it('is bound to its own node whatever it says, and may be JSON', () => {
    assert.equal(only(file('proxy.yaml', '  nodeName: other\n')).spec.nodeName, 'n1');
    const json = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'j' },
      spec: { containers: [{ name: 'c', image: 'i:1' }] },
    });
    assert.equal(only({ name: 'j.json', text: json }).metadata.name, 'j-n1');
  });

  for (const [what, text, message] of [
    ['a mistake', file('f', '  volumez: []\n').text, /^line 6: .*volumez/],
    ['no YAML', 'a: [', /^line 1: /],
    [
      'another namespace',
      file('f', '', ', namespace: default').text,
      /^proxy: its namespace is kube-system, or none is named/,
    ],
    ['a Secret', file('f', '  volumes: [{name: v, secret: {secretName: s}}]\n').text, /it uses the Secret s;/],
    ['a pull secret', file('f', '  imagePullSecrets: [{name: s}]\n').text, /it uses the Secret s;/],
    [
      'a ConfigMap in the environment',
      file('f', '  initContainers: [{name: i, image: "i:1", envFrom: [{configMapRef: {name: c}}]}]\n').text,
      /it uses the ConfigMap c;/,
    ],
    [
      'a claim',
      file('f', '  volumes: [{name: v, persistentVolumeClaim: {claimName: d}}]\n').text,
      /it uses the PersistentVolumeClaim d;/,
    ],
    [
      'a token',
      file('f', '  volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]\n').text,
      /it uses the Secret /,
    ],
    [
      'an ephemeral volume',
      file(
        'f',
        '  volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]\n',
      ).text,
      /it uses the PersistentVolumeClaim proxy-v;/,
    ],
    [
      'a word that it comes from Git',
      file('f', '', ', annotations: {plumbline.dev/source: main}').text,
      /plumbline\.dev\/source/,
    ],
    ['an account', file('f', '  serviceAccountName: admin\n').text, /goes by no ServiceAccount/],
    ['another kind', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n', /Pods alone, not a ConfigMap/],
  ] as const)
    it(`is refused with ${what}`, () => {
      const { pods, refused } = read('n1', [{ name: 'f.yaml', text }]);
      assert.deepEqual([pods, refused.length, refused[0]?.file], [[], 1, 'f.yaml']);
      assert.match(refused[0]?.message ?? '', message);
    });

  it('that is refused costs the others nothing, and of two with one name the file that comes first has it', () => {
    const { pods, refused } = read('n1', [
      file('b.yaml'),
      { name: 'c.yaml', text: 'kind: [' },
      file('a.yaml', '  hostNetwork: true\n'),
    ]);
    assert.deepEqual(
      pods.map(({ spec }) => spec.hostNetwork),
      [true],
    );
    assert.deepEqual(
      refused.map((one) => one.file),
      ['b.yaml', 'c.yaml'],
    );
  });

  it('is told of a few times where much is refused', () => {
    const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n---\n'.repeat(2000);
    const { refused } = read('n1', [{ name: 'f.yaml', text }]);
    assert.deepEqual([refused.length, refused.at(-1)?.message], [17, 'and 1984 more that are refused']);
  });

  it('is known again, and nothing else is taken for one', () => {
    const pod = only(file('proxy.yaml'));
    assert.equal(isStaticPod(pod, 'n1'), true);
    const imagePullSecrets = [{ name: 's' }];
    const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u', controller: true };
    for (const [what, other, node] of [
      ['on another node', pod, 'n2'],
      ['in another namespace', { ...pod, metadata: { ...pod.metadata, namespace: 'default' } }, 'n1'],
      ['with labels', { ...pod, metadata: { ...pod.metadata, labels: { app: 'web' } } }, 'n1'],
      ['with an owner', { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } }, 'n1'],
      [
        'that Git has too',
        {
          ...pod,
          metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, 'plumbline.dev/source': 'main' } },
        },
        'n1',
      ],
      ['without the annotation', { ...pod, metadata: { ...pod.metadata, annotations: {} } }, 'n1'],
      ['with a Secret', { ...pod, spec: { ...pod.spec, imagePullSecrets } }, 'n1'],
    ] as const satisfies readonly (readonly [string, MayBeStatic, string])[])
      assert.equal(isStaticPod(other, node), false, what);
  });
});

describe('what is done for the files of a node', () => {
  const pod = only(file('proxy.yaml'));
  const changed = only(file('proxy.yaml', '  hostNetwork: true\n'));
  const other = stored({ ...pod, metadata: { name: 'from-git-n1', namespace: 'kube-system' } });
  const brief = (wanted: readonly Pod[], present: readonly StoredPod[]): readonly string[] =>
    staticSteps('n1', wanted, present).map((step) =>
      step.do === 'create'
        ? `create ${step.object.metadata.name}`
        : step.do === 'delete'
          ? `delete ${step.uid}`
          : step.do,
    );
  for (const [what, wanted, present, steps] of [
    ['makes a new one', [pod], [other], ['create proxy-n1']],
    ['leaves one that is as its file', [pod], [stored(pod)], []],
    ['ends one whose file changed', [changed], [stored(pod)], ['delete uid-proxy-n1']],
    ['waits for its end', [changed], [stored(pod, { deletionTimestamp: '2026-01-01T00:01:00Z' })], []],
    ['ends one whose file is gone, and nobody else', [], [stored(pod), other], ['delete uid-proxy-n1']],
    [
      'makes none beside another of its name',
      [pod],
      [stored({ ...pod, metadata: { name: 'proxy-n1', namespace: 'kube-system' } })],
      [],
    ],
  ] as const)
    it(what, () => assert.deepEqual(brief(wanted, present), steps));

  it('is the same for the same files, in any order', () => {
    const files = [file('a.yaml'), { ...file('b.yaml'), text: file('b.yaml').text.replace('proxy', 'web') }];
    assert.deepEqual(read('n1', files), read('n1', files.toReversed()));
    assert.deepEqual(read('n1', files).pods.map(keyOf), ['pods/kube-system/proxy-n1', 'pods/kube-system/web-n1']);
  });
});

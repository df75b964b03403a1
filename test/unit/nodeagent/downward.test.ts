/** What a pod is told of itself, in its environment and in files. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ConfigMap, Secret } from '../../../contracts/objects/index.ts';
import { fieldValue, resourceValue } from '../../../nodeagent/core/pod/downward.ts';
import type { PodObjects } from '../../../nodeagent/core/pod/objects.ts';
import { planVolumes, volumesVersion } from '../../../nodeagent/core/pod/volumes/index.ts';
import { NO_OBJECTS, pod } from './pods.ts';

const folders = { state: '/state', run: '/run', podLogs: '/logs' };
const ALLOCATABLE = { cpu: '3920m', memory: '7Gi', 'ephemeral-storage': '10G' };

describe('fieldValue', () => {
  const one = pod(
    { nodeName: 'n1', serviceAccountName: 'robot' },
    {
      labels: { tier: 'front', app: 'web' },
      annotations: { note: 'say "hi"\\\n\ttab\u0007 \u00a0 \u{e0001} ä 😀\u007f' },
    },
  );
  for (const [path, value] of [
    ['metadata.name', 'app'],
    ['metadata.namespace', 'default'],
    ['metadata.uid', 'uid-1'],
    ['metadata.labels', 'app="web"\ntier="front"'],
    ['metadata.annotations', 'note="say \\"hi\\"\\\\\\n\\ttab\\a \\u00a0 \\U000e0001 ä 😀\\x7f"'],
    ["metadata.labels['tier']", 'front'],
    ["metadata.labels['none']", ''],
    ["metadata.labels['constructor']", ''],
    ['spec.nodeName', 'n1'],
    ['spec.serviceAccountName', 'robot'],
    ['status.podIP', '198.18.0.9'],
    ['status.podIPs', '198.18.0.9'],
    ['status.hostIP', '198.18.0.1'],
    ['status.hostIPs', '198.18.0.1'],
  ] as const) {
    it(path, () => {
      assert.deepEqual(fieldValue(path, one, { podIP: '198.18.0.9', hostIP: '198.18.0.1' }), { ok: true, value });
    });
  }
  it('has no other field', () => {
    for (const path of ['spec.nothing', 'constructor'])
      assert.deepEqual(fieldValue(path, one, { podIP: '', hostIP: '' }), {
        ok: false,
        message: `unsupported fieldPath: ${path}`,
      });
  });
});

describe('resourceValue', () => {
  const one = pod({
    containers: [
      {
        name: 'main',
        image: 'a:1',
        resources: {
          requests: { cpu: '250m', memory: '32Mi' },
          limits: { cpu: '1250m', memory: '64Mi', 'hugepages-2Mi': '4Mi' },
        },
      },
      { name: 'free', image: 'a:1' },
    ],
  });
  // Kubernetes' own table for the first ones: pkg/api/v1/resource/helpers_test.go.
  for (const [containerName, resource, divisor, value] of [
    ['main', 'limits.cpu', undefined, '2'],
    ['main', 'limits.cpu', '0', '2'],
    ['main', 'limits.cpu', '1m', '1250'],
    ['main', 'requests.cpu', '1m', '250'],
    ['main', 'requests.cpu', '1', '1'],
    ['main', 'limits.memory', undefined, '67108864'],
    ['main', 'limits.memory', '1Mi', '64'],
    ['main', 'requests.memory', '1G', '1'],
    ['main', 'limits.hugepages-2Mi', '1Mi', '4'],
    ['free', 'limits.cpu', undefined, '4'],
    ['free', 'limits.cpu', '1m', '3920'],
    ['free', 'limits.memory', '1Mi', '7168'],
    ['free', 'limits.ephemeral-storage', undefined, '10000000000'],
    ['free', 'limits.hugepages-2Mi', undefined, '0'],
    ['free', 'requests.cpu', undefined, '0'],
    ['free', 'requests.memory', '1Ki', '0'],
  ] as const) {
    it(`${resource} of ${containerName} in ${divisor ?? 'nothing'}`, () => {
      const ref = { containerName, resource, ...(divisor !== undefined && { divisor }) };
      assert.deepEqual(resourceValue(ref, one, undefined, ALLOCATABLE), { ok: true, value });
    });
  }

  it('is of the own container where none is named', () => {
    const [main] = one.spec.containers;
    assert.deepEqual(resourceValue({ resource: 'requests.cpu', divisor: '1m' }, one, main, undefined), {
      ok: true,
      value: '250',
    });
  });

  for (const [what, ref, message] of [
    ['of a container that the pod lacks', { containerName: 'x', resource: 'limits.cpu' }, 'container x not found'],
    [
      'of nothing that is counted',
      { containerName: 'main', resource: 'status.cpu' },
      'unsupported container resource : status.cpu',
    ],
    [
      'of a node that is not known',
      { containerName: 'free', resource: 'limits.cpu' },
      'what the node has for its pods is not known yet',
    ],
  ] as const) {
    it(`is not to be had ${what}`, () =>
      assert.deepEqual(resourceValue(ref, one, undefined, undefined), { ok: false, message }));
  }
});

describe('files that tell of the pod', () => {
  const item = (path: string, fieldPath: string) => ({ path, fieldRef: { fieldPath } });
  const objects: PodObjects = {
    ...NO_OBJECTS,
    allocatable: () => ALLOCATABLE,
    configMap: (name) =>
      name === 'c' ? ({ metadata: { name }, data: { a: '1', b: '2' } } as unknown as ConfigMap) : undefined,
    secret: (name) =>
      name === 's'
        ? ({ metadata: { name }, data: { a: Buffer.from('x').toString('base64') } } as unknown as Secret)
        : undefined,
  };
  const planned = (volume: Record<string, unknown>, meta: Record<string, unknown> = {}) => {
    const plan = planVolumes(pod({ volumes: [{ name: 'v', ...volume }] }, meta), objects, folders);
    if (!plan.ok) return plan.message;
    const [first] = plan.value;
    assert.ok(first?.kind === 'files');
    return {
      path: first.path,
      files: first.files.map((f) => `${f.path} ${f.mode.toString(8)} ${f.content.toString()}`),
    };
  };

  it('are made of fields and resources', () => {
    assert.deepEqual(
      planned(
        {
          downwardAPI: {
            defaultMode: 0o400,
            items: [
              item('labels', 'metadata.labels'),
              { ...item('deep/name', 'metadata.name'), mode: 0o640 },
              { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } },
            ],
          },
        },
        { labels: { a: '1' } },
      ),
      { path: '/state/pods/uid-1/volumes/v', files: ['labels 400 a="1"', 'deep/name 640 app', 'cpu 400 4'] },
    );
  });

  it('are beside those of ConfigMaps and Secrets in one volume, in memory, the later over the earlier', () => {
    assert.deepEqual(
      planned({
        projected: {
          sources: [
            { configMap: { name: 'c' } },
            { secret: { name: 's', items: [{ key: 'a', path: 'key', mode: 0o600 }] } },
            { downwardAPI: { items: [item('name', 'metadata.name')] } },
            { secret: { name: 's' } },
            { configMap: { name: 'none', optional: true } },
          ],
        },
      }),
      { path: '/run/pods/uid-1/volumes/v', files: ['a 644 x', 'b 644 2', 'key 600 x', 'name 644 app'] },
    );
  });

  it('are a token of the pod, of those that came for it, for its group alone where it has one', () => {
    const tokens: PodObjects = {
      ...NO_OBJECTS,
      secret: (name) =>
        name === 'app:tokens'
          ? ({
              metadata: { name },
              data: { '3600:': btoa('plain'), '600:vault': btoa('for vault') },
            } as unknown as Secret)
          : undefined,
    };
    const sources = [
      { serviceAccountToken: { path: 'token' } },
      { serviceAccountToken: { path: 'deep/vault', audience: 'vault', expirationSeconds: 600 } },
    ];
    const filesOf = (spec: Record<string, unknown>): unknown => {
      const plan = planVolumes(pod({ ...spec, volumes: [{ name: 'v', projected: { sources } }] }), tokens, folders);
      assert.ok(plan.ok && plan.value[0]?.kind === 'files');
      return [
        plan.value[0].path,
        ...plan.value[0].files.map((f) => `${f.path} ${f.mode.toString(8)} ${f.content.toString()}`),
      ];
    };
    const path = '/run/pods/uid-1/volumes/v';
    assert.deepEqual(filesOf({}), [path, 'token 644 plain', 'deep/vault 644 for vault']);
    assert.deepEqual(filesOf({ securityContext: { fsGroup: 7 } }), [
      path,
      'token 600 plain',
      'deep/vault 600 for vault',
    ]);
  });

  for (const [what, sources, message] of [
    [
      'a token that has not come',
      [{ serviceAccountToken: { path: 'token' } }],
      'the token of the pod has not come from the control plane yet',
    ],
    ['a ConfigMap that is missing', [{ configMap: { name: 'none' } }], 'configmap "none" not found'],
    ['a Secret that is missing', [{ secret: { name: 'none' } }], 'secret "none" not found'],
    [
      'a file of one in a file of the other',
      [{ configMap: { name: 'c' } }, { downwardAPI: { items: [item('a/b', 'metadata.name')] } }],
      'path a/b is in a, which is a file',
    ],
  ] as const) {
    it(`are not made with ${what}`, () =>
      assert.equal(planned({ projected: { sources } }), `MountVolume.SetUp failed for volume "v" : ${message}`));
  }

  it('follow labels, annotations and the node, where they tell of the pod at all', () => {
    const version = (volume: Record<string, unknown>, meta: Record<string, unknown>, known = objects): string =>
      volumesVersion(pod({ volumes: [{ name: 'v', ...volume }] }, meta), known);
    const own = { downwardAPI: { items: [item('labels', 'metadata.labels')] } };
    for (const volume of [own, { projected: { sources: [{ configMap: { name: 'c' } }, own] } }]) {
      const before = version(volume, { labels: { a: '1' } });
      assert.equal(version(volume, { labels: { a: '1' } }), before);
      assert.notEqual(version(volume, { labels: { a: '2' } }), before);
      assert.notEqual(version(volume, { labels: { a: '1' }, annotations: { b: '1' } }), before);
      assert.notEqual(version(volume, { labels: { a: '1' } }, NO_OBJECTS), before);
    }
    const map = { projected: { sources: [{ configMap: { name: 'c' } }] } };
    assert.equal(version(map, { labels: { a: '1' } }), version(map, {}));
  });
});

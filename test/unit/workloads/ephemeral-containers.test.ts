import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EphemeralContainer, type Pod } from '../../../contracts/objects/index.ts';
import { withEphemeralContainers } from '../../../reconciler/core/workloads/ephemeral-containers.ts';
import { pod } from '../controllers/objects.ts';

const look = (more: object = {}): EphemeralContainer =>
  EphemeralContainer.parse({ name: 'look', image: 'x:1', ...more });
const running: Pod = {
  ...pod('p', {
    containers: [{ name: 'web', image: 'x:1' }],
    initContainers: [{ name: 'first', image: 'x:1' }],
    volumes: [{ name: 'data', emptyDir: {} }],
  }),
  status: { phase: 'Running' },
};
const names = (of: ReturnType<typeof withEphemeralContainers<Pod>>): unknown =>
  'refused' in of ? of.refused : of.spec.ephemeralContainers?.map(({ name }) => name);

describe('a container that is put into a running pod', () => {
  it('is added, once, beside those that are there', () => {
    const one = withEphemeralContainers(running, [look({ targetContainerName: 'web' })]);
    assert.ok(!('refused' in one));
    assert.deepEqual(names(one), ['look']);
    assert.equal(withEphemeralContainers(one, [look({ targetContainerName: 'web' })]), one);
    assert.deepEqual(names(withEphemeralContainers(one, [look({ name: 'again' })])), ['look', 'again']);
  });

  const has = withEphemeralContainers(running, [look()]) as Pod;
  const rows: readonly (readonly [string, Pod, EphemeralContainer, RegExp])[] = [
    ['is not changed', has, look({ image: 'x:2' }), /cannot be changed/],
    ['has a name of its own', running, look({ name: 'web' }), /name is that of another container/],
    ['sees processes of a container that there is', running, look({ targetContainerName: 'db' }), /it has: first, web/],
    ['mounts volumes of the pod', running, look({ volumeMounts: [{ name: 'x', mountPath: '/x' }] }), /no volume x/],
    [
      'mounts whole volumes',
      running,
      look({ volumeMounts: [{ name: 'data', mountPath: '/x', subPath: 'a' }] }),
      /part of a volume/,
    ],
    ['comes too late', { ...running, status: { phase: 'Failed' } }, look(), /has ended/],
    [
      'comes too late for one that goes',
      { ...running, metadata: { ...running.metadata, deletionTimestamp: 't' } },
      look(),
      /being deleted/,
    ],
  ];
  for (const [name, of, one, why] of rows)
    it(name, () => assert.match(String(names(withEphemeralContainers(of, [one]))), why));

  it('is one of a number that is bounded', () => {
    const many = Array.from({ length: 33 }, (_, i) => look({ name: `look-${i}` }));
    assert.match(String(names(withEphemeralContainers(running, many))), /at most 32/);
    const full = withEphemeralContainers(running, many.slice(0, 32)) as Pod;
    assert.equal(withEphemeralContainers(full, many.slice(0, 32)), full);
    // Nothing is looked at beyond that.
    const beyond = [...many, look({ name: 'look-0', targetContainerName: 'gone' })];
    assert.match(String(names(withEphemeralContainers(running, beyond))), /at most 32/);
  });

  it('has nothing that it cannot have', () => {
    for (const field of ['ports', 'livenessProbe', 'lifecycle', 'restartPolicy', 'resizePolicy'])
      assert.equal(EphemeralContainer.safeParse({ ...look(), [field]: [] }).success, false, field);
    assert.equal(EphemeralContainer.safeParse({ ...look(), resources: { limits: { cpu: '1' } } }).success, false);
  });
});

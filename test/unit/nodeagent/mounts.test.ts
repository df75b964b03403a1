/** Where a container has which volume. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { containerMounts } from '../../../nodeagent/core/pod/mounts.ts';
import { pod } from './pods.ts';

const folders = { state: '/state', run: '/run', podLogs: '/logs' };
const ENV = new Map([
  ['NAME', 'web-0'],
  ['UP', '..'],
  ['ROOT', '/tmp'],
  ['EMPTY', ''],
]);

function mounted(mount: Record<string, unknown>, recursiveReadOnly = false, source: object = { emptyDir: {} }) {
  const one = pod({
    containers: [{ name: 'main', image: 'a:1', volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] }],
    volumes: [{ name: 'v', ...source }],
  });
  const [container] = one.spec.containers;
  assert.ok(container);
  const mounts = containerMounts({ pod: one, container, attempt: 0, env: ENV, folders, recursiveReadOnly });
  return mounts.ok ? mounts.value[0] : mounts.message;
}

describe('containerMounts', () => {
  const WHOLE = {
    containerPath: '/v',
    hostPath: '/state/pods/uid-1/volumes/v',
    readOnly: false,
    recursiveReadOnly: false,
    propagation: 'None',
  };
  const part = (subPath: string) => ({
    ...WHOLE,
    hostPath: '/state/mounts/uid-1/subpaths/main/0',
    partOf: { volume: '/state/pods/uid-1/volumes/v', subPath },
  });
  for (const [what, mount, expected] of [
    ['a whole volume', {}, WHOLE],
    ['a part', { subPath: 'a/b' }, part('a/b')],
    ['a part that the environment names', { subPathExpr: 'logs/$(NAME)-$$(NAME)' }, part('logs/web-0-$(NAME)')],
    ['what is mounted later', { mountPropagation: 'HostToContainer' }, { ...WHOLE, propagation: 'HostToContainer' }],
    ['both ways', { mountPropagation: 'Bidirectional' }, { ...WHOLE, propagation: 'Bidirectional' }],
    ['read-only', { readOnly: true, recursiveReadOnly: 'Disabled' }, { ...WHOLE, readOnly: true }],
    ['read-only below too, or not', { readOnly: true, recursiveReadOnly: 'IfPossible' }, { ...WHOLE, readOnly: true }],
  ] as const) {
    it(`shows ${what}`, () => assert.deepEqual(mounted(mount), expected));
  }

  it('shows all below read-only where the runtime can', () => {
    for (const recursiveReadOnly of ['IfPossible', 'Enabled'])
      assert.deepEqual(mounted({ readOnly: true, recursiveReadOnly }, true), {
        ...WHOLE,
        readOnly: true,
        recursiveReadOnly: true,
      });
  });

  it('leaves the files of an image as they are mounted here, whatever the mount says', () => {
    const image = { image: { reference: 'files:1' } };
    for (const readOnly of [true, false])
      assert.deepEqual(mounted({ readOnly, ...(readOnly && { recursiveReadOnly: 'Enabled' }) }, true, image), WHOLE);
  });

  for (const [mount, message] of [
    [{ subPathExpr: '$(ROOT)' }, 'error SubPath `/tmp` must not be an absolute path'],
    [{ subPathExpr: 'a/$(UP)' }, "unable to provision SubPath `a/..`: must not contain '..'"],
    [{ subPathExpr: '$(NONE)/$(EMPTY)/$(NAME)' }, 'missing value for EMPTY, NONE'],
    [{ subPath: '/a' }, 'error SubPath `/a` must not be an absolute path'],
    [{ name: 'x' }, 'volumeMounts names the volume "x", which the pod does not have'],
    [
      { readOnly: true, recursiveReadOnly: 'Enabled' },
      'volume "v" requested recursive read-only mode, but it is not supported by the runtime',
    ],
    [{ recursiveReadOnly: 'Enabled' }, 'volume "v" requested recursive read-only mode, but it is not read-only'],
    [
      { readOnly: true, recursiveReadOnly: 'IfPossible', mountPropagation: 'HostToContainer' },
      'volume "v" requested recursive read-only mode, but it is not compatible with propagation "HostToContainer"',
    ],
  ] as const) {
    it(`refuses ${JSON.stringify(mount)}`, () => assert.equal(mounted(mount), message));
  }
});

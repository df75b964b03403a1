import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isGoingDown } from '../../../nodeagent/adapters/system/going-down.ts';
import { goesOn, shutdownPhases } from '../../../nodeagent/core/node/shutdown.ts';
import { pod as podOf } from './pods.ts';

const pod = (uid: string, graceSeconds: number, priority = 0) => ({ uid, graceSeconds, priority });
const CRITICAL = 2_000_000_000;

describe('the phases of a shutdown', () => {
  for (const [name, pods, phases] of [
    ['are none without pods', [], []],
    ['are one where all pods are alike', [pod('a', 5), pod('b', 30)], [[20, { a: 5, b: 20 }]]],
    [
      'leave what the system needs for last',
      [pod('dns', 30, CRITICAL), pod('a', 0), pod('node', 3, CRITICAL + 1000), pod('important', 30, CRITICAL - 1)],
      [
        [20, { a: 0, important: 20 }],
        [10, { dns: 10, node: 3 }],
      ],
    ],
    ['are one where all are needed', [pod('dns', 30, CRITICAL)], [[10, { dns: 10 }]]],
  ] as const) {
    it(name, () =>
      assert.deepEqual(
        shutdownPhases(pods).map(({ seconds, graceSeconds }) => [seconds, Object.fromEntries(graceSeconds)]),
        phases,
      ),
    );
  }
});

describe('a pod that runs when its machine goes down', () => {
  const main = { name: 'main', image: 'app:1' };
  const rules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [143] } }];
  for (const [name, spec, expected] of [
    ['goes on', {}, true],
    ['goes on where it would after a failure', { restartPolicy: 'OnFailure' }, true],
    ['is over where nothing of it is started again', { restartPolicy: 'Never' }, false],
    [
      'is over with its sidecars',
      { restartPolicy: 'Never', initContainers: [{ ...main, name: 'side', restartPolicy: 'Always' }] },
      false,
    ],
    [
      'goes on with one container that has a policy of its own',
      { restartPolicy: 'Never', containers: [main, { ...main, name: 'other', restartPolicy: 'Always' }] },
      true,
    ],
    [
      'goes on by a rule for what SIGTERM does',
      { restartPolicy: 'Never', containers: [{ ...main, restartPolicy: 'Never', restartPolicyRules: rules }] },
      true,
    ],
  ] as const)
    it(name, () => assert.equal(goesOn(podOf(spec)), expected));
});

describe('a machine', () => {
  const { signal } = new AbortController();
  for (const [says, goesDown] of [
    ['stopping\n', true],
    ['running\n', false],
    ['degraded\n', false],
    ['offline\n', false],
    ['', false],
  ] as const) {
    it(`whose service manager says ${JSON.stringify(says)} ${goesDown ? 'goes down' : 'does not'}`, async () => {
      assert.equal(await isGoingDown(async () => ({ code: 1, stdout: says, stderr: '' }), signal), goesDown);
    });
  }
  it('without a service manager does not that anybody knows of', async () => {
    const missing = Object.assign(new Error('spawn systemctl ENOENT'), { code: 'ENOENT' });
    assert.equal(await isGoingDown(async () => Promise.reject(missing), signal), false);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatusLine } from '../../../contracts/agent/index.ts';
import type { PodStatus } from '../../../contracts/objects/index.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { createLocalPods } from '../../../nodeagent/loops/local-pods.ts';
import { createStatusHub } from '../../../nodeagent/loops/status-hub.ts';

const web = { namespace: 'default', name: 'web', uid: 'u1' };
const status = (podIP: string | undefined, ready: boolean, phase: PodStatus['phase'] = 'Running'): PodStatus => ({
  phase,
  conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  ...(podIP !== undefined && { podIP }),
});

describe('what the node sees of its own pods', () => {
  it('is told once for each change of address, readiness or end, and for no other', () => {
    const hub = createStatusHub(systemClock);
    const pods = createLocalPods(hub, new Map());
    const told: unknown[] = [];
    pods.onChange((changed) => told.push([...changed, pods.get('u1')]));
    assert.equal(pods.get('u1'), undefined);
    hub.tellPod(web, status('198.19.1.2', false));
    hub.tellPod(web, { ...status('198.19.1.2', false), startTime: '2026-01-01T00:00:00Z' });
    hub.tellPod(web, status('198.19.1.2', true));
    hub.tellPod(web, status('198.19.1.9', true));
    hub.tellPod(web, status(undefined, false));
    hub.tellPod(web, status('198.19.1.9', false, 'Succeeded'));
    hub.tellGone(web);
    const as = (address: string | undefined, ready: boolean, over = false): unknown => [
      'pods/default/web',
      { address, ready, over },
    ];
    assert.deepEqual(told, [
      as('198.19.1.2', false),
      as('198.19.1.2', true),
      as('198.19.1.9', true),
      as(undefined, false),
      as('198.19.1.9', false, true),
      as(undefined, false, true),
    ]);
    hub.forget('u1');
    assert.equal(pods.get('u1'), undefined);
  });

  it('is what the agent before this one wrote down, until the pod was looked at', () => {
    const hub = createStatusHub(systemClock);
    const pods = createLocalPods(hub, new Map([['u1', status('198.19.1.2', true)]]));
    assert.deepEqual(pods.get('u1'), { address: '198.19.1.2', ready: true, over: false });
    hub.tellPod(web, status(undefined, false));
    assert.deepEqual(pods.get('u1'), { address: undefined, ready: false, over: false });
  });
});

describe('an event of the node', () => {
  it('is kept until somebody listens, and told once', () => {
    const hub = createStatusHub(systemClock);
    hub.tellNodeEvent({ type: 'Warning', reason: 'PacketFilterRepaired', message: 'm' });
    const heard = (): string[] => {
      const lines: StatusLine[] = [];
      hub.subscribe((line) => lines.push(line));
      return lines.map((line) => line.type);
    };
    assert.deepEqual(heard(), ['synced', 'node-event']);
    assert.deepEqual(heard(), ['synced']);
  });
});

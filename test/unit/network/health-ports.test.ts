/** What balancers are told of the endpoints of this node, without a look at those of all Services. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Kind } from '../../../contracts/objects/index.ts';
import { startHealthPorts } from '../../../nodeagent/loops/health-ports-sync.ts';
import type { HealthAnswer } from '../../../nodeagent/ports/health-ports.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { endpoint, service, slice, TestAssignment, TestLocalPods } from './world.ts';

describe('a health check node port', () => {
  it('follows the endpoints of its own Service, and reads no others', async () => {
    const assignment = new TestAssignment('n1');
    const listed: Kind[] = [];
    const source = {
      onChange: assignment.onChange.bind(assignment),
      current: () => {
        const view = assignment.current();
        return {
          ...view,
          list: ((kind) => {
            listed.push(kind);
            return view.list(kind);
          }) as typeof view.list,
        };
      },
    };
    let served: ReadonlyMap<number, () => HealthAnswer> = new Map();
    const clock = { ...systemClock, ahead: 0, monotonic: () => systemClock.monotonic() + clock.ahead };
    const loop = startHealthPorts({
      assignment: source,
      pods: new TestLocalPods(),
      ports: {
        serve: async (answers) => {
          served = answers;
          return new Map();
        },
        close: async () => undefined,
      },
      clock,
      log: () => undefined,
    });
    const web = service('web', '198.19.128.1', [{ name: 'http', port: 80 }], {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 30_100,
    });
    const here = (...addresses: readonly string[]) => addresses.map((one) => ({ ...endpoint(one), nodeName: 'n1' }));
    const other = service('other', '198.19.128.2', [{ name: 'http', port: 80 }]);
    assignment.set(other, slice(other, here('198.19.1.9')));
    assignment.set(web, slice(web, here('198.19.1.2')));
    await new Promise((resolve) => setImmediate(resolve));
    const ask = (): number | undefined => {
      clock.ahead += 1000;
      return served.get(30_100)?.().localEndpoints;
    };
    assert.equal(ask(), 1);
    listed.length = 0;
    assignment.set(slice(web, here('198.19.1.2', '198.19.1.3')));
    assert.equal(ask(), 2);
    assignment.set(slice(web, []));
    assert.equal(ask(), 0);
    assert.deepEqual(listed, []);
    await loop.close();
  });
});

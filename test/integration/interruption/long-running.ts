/**
 * A test file that makes one of everything that could outlive it and then goes on for ever: what interruption.test.ts
 * interrupts. Its process id is in the file UP once all is there.
 */
import { writeFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { startTestRedis } from '../../support/redis.ts';
import { startMachine } from '../../support/ssh/machine.ts';
import { startSshd } from '../../support/ssh/sshd.ts';
import { openTerminal } from '../../support/terminal.ts';
import { Fleet } from '../../e2e/fleet.ts';
import { makeNamespace } from '../network/namespace.ts';
import { BUSYBOX, startHost, UID_MARK } from '../nodeagent/host.ts';

describe('a test', () => {
  before(async () => {
    const fleet = await Fleet.start({
      name: 'interr',
      subnet: '198.18.21.0/24',
      podCIDR: '198.18.160.0/19',
      serviceCIDR: '198.19.96.0/19',
      nodes: 1,
    });
    await fleet.write('apps/none.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}\n');
    await fleet.commitAndPush('Add nothing much');
    makeNamespace('left');
    await startTestRedis();
    await startSshd();
    await startMachine();
    await openTerminal('sleep 1000');
    const host = await startHost();
    await host.importImage(BUSYBOX);
    await host.run([
      'ctr',
      '--address',
      host.containerdSocket,
      '-n',
      'k8s.io',
      'run',
      '-d',
      '--cgroup',
      `/plumbline/poduid${UID_MARK}1-left`,
      BUSYBOX,
      'left',
      '/bin/sleep',
      '1000',
    ]);
  });

  it('goes on', async () => {
    writeFileSync(process.env['UP'] ?? '', String(process.pid));
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  });
});

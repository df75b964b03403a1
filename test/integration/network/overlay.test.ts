/** Who may speak VXLAN to a node. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { overlayMac } from '../../../nodeagent/core/routes/want.ts';
import { cluster, node } from '../../unit/network/world.ts';
import { askUdp, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotRun } from './namespace.ts';

const STRANGER = '198.18.0.9';

describe("network: the overlay's port", { skip: cannotRun() ?? false, timeout: 600_000 }, () => {
  let lab: Lab;
  let target: TestPod;
  let peer: TestPod;

  before(async () => {
    lab = await makeLab('ov', { cluster: cluster({ overlay: 'vxlan' }) });
    target = await lab.nodes[0].pod(2);
    peer = await lab.nodes[1].pod(2);
    await lab.recordUdp(target.ns, 7000);
    // The stranger knows everything that a node knows.
    const {
      outside,
      nodes: [n1],
    } = lab;
    await outside.sh(
      'ip',
      'link',
      'add',
      'vx',
      'type',
      'vxlan',
      'id',
      '7846',
      'dstport',
      '8472',
      'local',
      STRANGER,
      'remote',
      n1.address,
      'nolearning',
    );
    await outside.sh('ip', 'address', 'add', '198.19.77.1/32', 'dev', 'vx');
    await outside.sh('ip', 'link', 'set', 'vx', 'up');
    await outside.sh(
      'ip',
      'neighbour',
      'add',
      '198.19.1.0',
      'lladdr',
      overlayMac(n1.address),
      'dev',
      'vx',
      'nud',
      'permanent',
    );
    await outside.sh('ip', 'route', 'add', '198.19.1.0/24', 'via', '198.19.1.0', 'dev', 'vx', 'onlink');
  });
  after(() => lab.close());

  /** What the pod heard, asked by a pod behind the overlay: its frames do arrive. */
  const heard = (): Promise<string> => askUdp(peer.ns, target.address, 7000, 4300, 'list');
  /** Nobody answers the stranger either way: what the pod heard tells. */
  const send = async (text: string): Promise<void> => {
    await lab.outside.sh(
      process.execPath,
      '-e',
      `const s = require('dgram').createSocket('udp4'); s.send('${text}', 7000, '${target.address}', () => s.close())`,
    );
  };

  it('takes no frame of a host that is no node', async () => {
    await send('stranger');
    assert.equal(await heard(), '');
  });

  it('takes them from the moment that it is one, and no longer', async () => {
    await lab.set(node('n3', STRANGER, '198.19.77.0/24'));
    await send('node');
    assert.equal(await heard(), 'node');
    await lab.remove('nodes//n3');
    await send('again a stranger');
    assert.equal(await heard(), 'node');
  });
});

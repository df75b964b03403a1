/** A pod that floods the node with questions for names: the kernel drops what is too much, and others are answered. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { CLUSTER_DNS } from '../../../contracts/agent/places.ts';
import { cluster } from '../../unit/network/world.ts';
import { askUdp, makeLab, type Lab, type TestPod } from './lab.ts';
import { cannotRun } from './namespace.ts';

/** nodeagent/core/nftables/frame.ts. */
const PER_SECOND = 5000;
const SENT = 40_000;

describe('a flood of questions', { skip: cannotRun() ?? false, timeout: 600_000 }, () => {
  let lab: Lab;
  let flooding: TestPod;
  let other: TestPod;

  before(async () => {
    lab = await makeLab('flood', { cluster: cluster() });
    const [node] = lab.nodes;
    [flooding, other] = [await node.pod(2), await node.pod(3)];
    const server = lab.start(node.ns, [
      process.execPath,
      '-e',
      `let heard = 0; const s = require('dgram').createSocket({ type: 'udp4', recvBufferSize: 4194304 });
      s.on('message', (m, r) => { if (String(m) === 'flood') heard += 1; else s.send(String(heard), r.port, r.address); });
      s.bind(${CLUSTER_DNS.port}, '${CLUSTER_DNS.address}', () => console.log('up'))`,
    ]);
    await once(server.stdout ?? server, 'data');
  });
  after(() => lab.close());

  it('reaches the server no faster than is good for it, and another pod is answered', async () => {
    const { address, port } = CLUSTER_DNS;
    assert.equal(await askUdp(other.ns, address, port, 40_000), '0');
    const flood = `const s = require('dgram').createSocket('udp4'); let sent = 0; const since = performance.now();
      const go = () => { for (let i = 0; i < 100 && sent < ${SENT}; i += 1, sent += 1) s.send('flood', ${port}, '${address}');
        if (sent < ${SENT}) setImmediate(go); else s.close(() => console.log(performance.now() - since)); };
      go();`;
    const tookMs = Number(await flooding.ns.sh(process.execPath, '-e', flood));
    const heard = Number(await askUdp(other.ns, address, port, 40_001));
    assert.ok(heard > 0 && heard <= PER_SECOND * (1 + tookMs / 1000) * 1.1, `${heard} in ${tookMs} ms`);
    assert.match(await lab.nodes[0].ns.sh('nft', 'list', 'set', 'ip', 'plumbline', 'name-askers'), /"veth2"/);
  });

  it('from the machine itself is not counted', async () => {
    const { ns } = lab.nodes[0];
    await askUdp(ns, CLUSTER_DNS.address, CLUSTER_DNS.port, 40_000);
    assert.doesNotMatch(await ns.sh('nft', 'list', 'set', 'ip', 'plumbline', 'name-askers'), /"lo"/);
  });
});

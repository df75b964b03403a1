/** Network policy on real rules: the truth table with real packets, on two nodes. */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { after, before, describe, it } from 'node:test';
import { keyOf, type KubeObject, type ObjectKey } from '../../../contracts/objects/index.ts';
import { startReacher, type Reacher } from '../../support/reach.ts';
import { POLICY_CASES, type PolicyCase } from '../../unit/network/policy-cases.ts';
import { place, policy, slicesOf, space, type Placed } from '../../unit/network/policy-world.ts';
import { cluster, endpoint, service, slice } from '../../unit/network/world.ts';
import { makeLab, type Lab, type TestNode, type TestPod } from './lab.ts';
import { cannotRun } from './namespace.ts';
import { patience } from '../../support/patience.ts';

const SPACES = ['x', 'y', 'z'];
const PORTS = [80, 81] as const;
const TARGETS = (['TCP', 'UDP'] as const).flatMap((protocol) => PORTS.map((port) => ({ protocol, port })));
/** Long enough for a busy machine; what is dropped takes it wholly. */
const PATIENCE_MS = 400;
/** Answers that are late on a busy machine are asked for again, so long. */
const HOLDS_MS = 10_000;

interface Pod extends Placed {
  readonly name: string;
  readonly real: TestPod;
  readonly reacher: Reacher;
  readonly node: TestNode;
}

describe('network policy with packets', { skip: cannotRun() ?? false, timeout: 600_000 }, () => {
  let lab: Lab;
  const pods: Pod[] = [];
  let there: readonly ObjectKey[] = [];

  before(async () => {
    lab = await makeLab('pol', { cluster: cluster() });
    for (const [i, namespace] of SPACES.entries())
      for (const [j, name] of ['a', 'b', 'c'].entries()) {
        const node = lab.nodes[(i + j) % 2 === 0 ? 0 : 1];
        const real = await node.pod(10 + i * 3 + j);
        const placed = place(namespace, name, real.address, node.object.metadata.name);
        const reacher = await startReacher(real.ns.enter, PORTS);
        pods.push({ ...placed, name: `${namespace}/${name}`, real, reacher, node });
      }
    for (const { node, pod, address } of pods) {
      node.assignment.set(pod);
      node.pods.see(pod, address);
    }
  });
  after(async () => {
    await Promise.all(pods.map(({ reacher }) => reacher.close()));
    await lab.close();
  });

  /** Gives the nodes these objects instead of those of the last call, and waits until they are in force. */
  const put = async (objects: readonly KubeObject[]): Promise<void> => {
    const keys = objects.map(keyOf);
    for (const { assignment } of lab.nodes) {
      assignment.remove(...there.filter((key) => !keys.includes(key)));
      assignment.set(...objects);
    }
    there = keys;
    await Promise.all(lab.nodes.map(({ sync }) => sync.synced()));
  };

  const show = async (one: Pick<PolicyCase, 'policies' | 'pods' | 'spaces'>): Promise<void> => {
    const placed = pods.map((each): Placed => {
      const labels = one.pods?.[each.name] ?? { pod: each.pod.metadata.name };
      return { ...each, pod: { ...each.pod, metadata: { ...each.pod.metadata, labels } } };
    });
    for (const [i, { pod }] of placed.entries()) {
      const before = pods[i];
      if (before && JSON.stringify(before.node.assignment.current().get(keyOf(pod))) !== JSON.stringify(pod))
        before.node.assignment.set(pod);
    }
    const spaces = SPACES.map((name) => space(name, one.spaces?.[name] ?? { ns: name }));
    const policies = one.policies.map(([namespace, spec], i) => policy(namespace, spec, `policy-${i}`));
    await put([...spaces, ...policies, ...slicesOf(policies, spaces, placed)]);
  };

  /** What is not as it should be, of all connections between two pods. */
  const wrong = async (allows: PolicyCase['allows']): Promise<readonly string[]> => {
    const found = await Promise.all(
      pods.map(async (from) => {
        const connections = pods
          .filter((to) => to !== from)
          .flatMap((to) => TARGETS.map((target) => ({ from: from.name, to: to.name, address: to.address, ...target })));
        const reached = await from.reacher.reaches(
          connections.map(({ address, protocol, port }) => [address, protocol, port] as const),
          PATIENCE_MS,
        );
        return connections.flatMap((connection, i) =>
          reached[i] === allows(connection)
            ? []
            : [
                `${connection.from} to ${connection.to} ${connection.protocol} ${connection.port}: ${String(reached[i])}`,
              ],
        );
      }),
    );
    return found.flat();
  };
  const holds = async (allows: PolicyCase['allows']): Promise<void> => {
    await comesToBe(() => wrong(allows), []);
  };
  /** Fails with what it was last. */
  const comesToBe = async <T>(look: () => Promise<T>, wanted: T): Promise<void> => {
    let last = await look();
    for (const isOver = patience(HOLDS_MS); !isDeepStrictEqual(last, wanted) && !isOver();) last = await look();
    assert.deepEqual(last, wanted);
  };

  for (const one of POLICY_CASES) {
    it(one.name, async () => {
      await show(one);
      await holds((connection) => one.allows(connection));
    });
  }

  it('guards a pod behind a Service and a node port, with the address of who asks', async () => {
    const [a] = pods;
    assert.ok(a);
    const svc = service('web', '198.19.128.10', [{ port: 80, nodePort: 30080 }]);
    await show({ policies: [] });
    await lab.set(svc, slice(svc, [endpoint(a.address)], 'a', 80));
    const outside = await startReacher(lab.outside.enter, []);
    /** Who comes through: pods to the Service, and one from outside to the node port. */
    const through = async (): Promise<Readonly<Record<string, boolean | undefined>>> => {
      const found: Record<string, boolean | undefined> = {};
      for (const { name, reacher } of pods)
        [found[name]] = await reacher.reaches([['198.19.128.10', 'TCP', 80]], 2 * PATIENCE_MS);
      [found['outside']] = await outside.reaches([[a.node.address, 'TCP', 30080]], 2 * PATIENCE_MS);
      return found;
    };
    const all = [...pods.map(({ name }) => name), 'outside'];
    try {
      await comesToBe(through, Object.fromEntries(all.map((name) => [name, true])));
      await show({
        policies: [['x', { podSelector: { matchLabels: { pod: 'a' } }, ingress: [{ from: [{ podSelector: {} }] }] }]],
      });
      await comesToBe(through, Object.fromEntries(all.map((name) => [name, name.startsWith('x/')])));
    } finally {
      await outside.close();
      await lab.remove(keyOf(svc), `endpointslices.discovery.k8s.io/default/web-a`);
    }
  });

  it('lets the own node of a closed pod in, and no other node', async () => {
    await show({ policies: [['x', { policyTypes: ['Ingress', 'Egress'] }]] });
    const [a] = pods;
    assert.ok(a);
    for (const { ns, address } of lab.nodes) {
      const reacher = await startReacher(ns.enter, []);
      try {
        await comesToBe(() => reacher.reaches([[a.address, 'TCP', 80]], PATIENCE_MS), [address === a.node.address]);
      } finally {
        await reacher.close();
      }
    }
  });

  it('goes on with connections that exist, and lets no new one in', async () => {
    await show({ policies: [] });
    const [a, b] = [pods.find(({ name }) => name === 'x/a'), pods.find(({ name }) => name === 'y/b')];
    assert.ok(a && b);
    const talk = await openTalk(a, b);
    try {
      assert.equal(await talk.say('before'), 'before');
      await show({ policies: [['x', {}]] });
      assert.equal(await talk.say('after'), 'after');
      assert.deepEqual(await b.reacher.reaches([[a.address, 'TCP', 80]], PATIENCE_MS), [false]);
    } finally {
      talk.close();
    }
  });

  it('knows a pod that takes the address of another', async () => {
    await show({ policies: [['x', { ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'b' } } }] }] }]] });
    const [a, b, thief] = ['x/a', 'x/b', 'z/b'].map((name) => pods.find((pod) => pod.name === name));
    assert.ok(a && b && thief);
    await thief.real.ns.sh('ip', 'address', 'add', `${b.address}/32`, 'dev', 'lo');
    const heard = lab.start(a.real.ns, [
      process.execPath,
      '-e',
      "const s = require('dgram').createSocket('udp4'); s.on('message', (m) => console.log(String(m))); s.bind(9001, () => console.log('up'));",
    ]);
    const lines: string[] = [];
    heard.stdout?.on('data', (data) => lines.push(...String(data).trim().split('\n')));
    const send = (pod: Pod, text: string): Promise<string> =>
      pod.real.ns.sh(
        process.execPath,
        '-e',
        `const s = require('dgram').createSocket('udp4'); s.bind(0, '${b.address}', () => s.send('${text}', 9001, '${a.address}', () => s.close()));`,
      );
    const until = async (text: string): Promise<void> => {
      while (!lines.includes(text)) await new Promise(setImmediate);
    };
    await until('up');
    await send(thief, 'forged');
    await send(b, 'own');
    await until('own');
    assert.deepEqual(lines, ['up', 'own']);
    heard.kill('SIGKILL');
    await thief.real.ns.sh('ip', 'address', 'delete', `${b.address}/32`, 'dev', 'lo');
  });

  it('is in force before a pod is said to be known, and takes its address from all rules when it ends', async () => {
    await show({
      policies: [['x', { ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'b' } } }] }] }]],
    });
    const b = pods.find(({ name }) => name === 'x/b');
    assert.ok(b);
    const table = (): Promise<string> => b.node.ns.sh('nft', 'list', 'table', 'ip', 'plumbline');
    assert.ok((await table()).includes(`${b.address} : goto in-b-`));
    b.node.pods.see(b.pod, undefined);
    await b.node.sync.synced();
    assert.ok(!(await table()).includes(b.address));
    b.node.pods.see(b.pod, b.address);
    await b.node.sync.synced();
    assert.ok((await table()).includes(`${b.address} : goto in-b-`));
  });

  it('leaves nothing of it in the table with the last policy', async () => {
    await show({ policies: [] });
    for (const { ns, writes } of lab.nodes) {
      assert.doesNotMatch(
        await ns.sh('nft', 'list', 'table', 'ip', 'plumbline'),
        /chain guard-|guarded|pg-|in-a-|out-a-/,
      );
      // What was there went by its own commands, and was not written over.
      assert.equal(writes.at(-1)?.whole, false);
    }
  });

  const openTalk = async (server: Pod, client: Pod): Promise<{ say(text: string): Promise<string>; close(): void }> => {
    const script = `const net = require('net');`;
    const listening = lab.start(server.real.ns, [
      process.execPath,
      '-e',
      `${script} net.createServer((s) => s.pipe(s)).listen(9000, '0.0.0.0', () => console.log('up'))`,
    ]);
    await new Promise((resolve) => listening.stdout?.once('data', resolve));
    const asking = lab.start(client.real.ns, [
      process.execPath,
      '-e',
      `${script} const fs = require('fs'); const s = net.connect(9000, '${server.address}', () => console.log('up'));
       s.on('data', (d) => console.log('got ' + d)); setInterval(() => { const f = process.argv[1]; if (fs.existsSync(f)) { s.write(fs.readFileSync(f)); fs.unlinkSync(f); } }, 20);`,
      `${lab.folder}/say`,
    ]);
    const heard = (): Promise<string> =>
      new Promise((resolve) => asking.stdout?.once('data', (data) => resolve(String(data).trim())));
    await heard();
    return {
      async say(text) {
        const answer = heard();
        // Whole or not at all: the other side looks all the time.
        await writeFile(join(lab.folder, 'saying'), text);
        await rename(join(lab.folder, 'saying'), join(lab.folder, 'say'));
        return (await answer).replace(/^got /, '');
      },
      close() {
        asking.kill('SIGKILL');
        listening.kill('SIGKILL');
      },
    };
  };
});

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { keyOf, objectKey, type KubeObject } from '../../../contracts/objects/index.ts';
import { NODE_PATHS, type PodReport } from '../../../contracts/agent/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { MemoryObjectStore } from '../../../reconciler/adapters/memory/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { AgentClient } from '../../../reconciler/controllers/nodes/agent-client.ts';
import { InventoryReader } from '../../../reconciler/controllers/nodes/inventory.ts';
import { linesOf } from '../../../reconciler/controllers/nodes/lines.ts';
import { recover, type RecoveryResult } from '../../../reconciler/controllers/recovery.ts';
import type { AppliedState } from '../../../reconciler/controllers/recovery-history.ts';
import { HASH_LABEL, templateHash } from '../../../reconciler/core/workloads/template.ts';
import { deployment, machine } from '../controllers/objects.ts';
import { MemoryLog } from '../runtime/world.ts';
import { FakeAgent, NODE_REPORT } from './fake-agent.ts';

const web = deployment();
const hash = templateHash(web.spec.template);
const SHA = 'a'.repeat(40);
const clock = new SystemClock();
const signal = new AbortController().signal;

function held(name: string, node: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { ...web.spec.template.metadata.labels, [HASH_LABEL]: hash },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `web-${hash}`, uid: 'u', controller: true }],
    },
    spec: { ...web.spec.template.spec, nodeName: node },
  };
}
const source: KubeObject = {
  apiVersion: 'plumbline.dev/v1alpha1',
  kind: 'Source',
  metadata: { name: 'main' },
  spec: { url: 'u', branch: 'b' },
  status: { appliedRevision: SHA, history: [] },
};

/** One agent for each machine; undefined: switched off. */
async function recovered(
  agents: Readonly<Record<string, FakeAgent | undefined>>,
  perNodeTimeoutMs = 500,
): Promise<
  RecoveryResult & { readonly store: MemoryObjectStore; readonly log: MemoryLog; readonly told: readonly string[] }
> {
  const transport = new MemoryNodeTransport();
  const log = new MemoryLog();
  const machines = Object.entries(agents).map(([name, agent], index) => {
    if (agent) transport.machines.set(`198.18.0.${index}:22`, agent.machine);
    return machine(name, { address: `198.18.0.${index}` });
  });
  const store = new MemoryObjectStore({ clock, ids: new CryptoIds() });
  const { incarnation } = await store.open(signal);
  let told: readonly string[] = [];
  const applied: AppliedState = {
    revision: SHA,
    state: new Map([
      [keyOf(web), { key: keyOf(web), object: web, written: { ...web }, position: { file: 'a', line: 1, column: 1 } }],
    ]),
  };
  const history = {
    applied: async (shas: readonly string[]) => {
      told = shas;
      return applied;
    },
    templates: async () => new Map([[keyOf(web), [web.spec.template]]]),
  };
  const result = await recover({
    store,
    incarnation,
    machines,
    source: { name: 'main', url: 'u', branch: 'b' },
    history,
    transport,
    clock,
    log,
    signal,
    perNodeTimeoutMs,
  });
  return { ...result, store, log, told };
}

function agentWith(...objects: readonly KubeObject[]): FakeAgent {
  const agent = new FakeAgent();
  for (const object of objects) agent.objects.set(keyOf(object), object);
  agent.version = 'v';
  agent.epoch = 7;
  return agent;
}
const podsIn = async (store: MemoryObjectStore): Promise<string[]> =>
  (await store.list('Pod')).objects.map(({ metadata }) => metadata.uid).sort();

describe('recovery', () => {
  it('reads what the nodes have, and names nobody who has no agent', async () => {
    const bare = new FakeAgent();
    bare.machine.sockets.clear();
    bare.machine.programs.set('test', () => ({ code: 1, stdout: '', stderr: '' }));
    const result = await recovered({
      a: agentWith(source, held('p1', 'a')),
      b: agentWith(source, held('p2', 'b')),
      c: bare,
    });
    assert.deepEqual([result.answered, result.unanswered], [['a', 'b', 'c'], []]);
    assert.deepEqual(result.told, [SHA]);
    assert.deepEqual(await podsIn(result.store), ['uid-p1', 'uid-p2']);
    assert.equal((await result.store.open(signal)).fresh, false);
  });

  it('asks one node for what all hold alike, counts the word of each, and does without who names what it does not tell', async () => {
    const nodes = (podCIDR: string): readonly KubeObject[] =>
      ['a', 'b', 'c', 'd', 'e'].map((name, index) => ({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        spec: { podCIDR: podCIDR.replace('X', String(index)) },
      }));
    const liar = agentWith(source, ...nodes('10.244.2X.0/24'), held('p0', 'a'));
    // It has no agent to wait for: one look is enough, and no time-out decides.
    liar.machine.programs.set('test', () => ({ code: 1, stdout: '', stderr: '' }));
    liar.behind = () => ['{"part":0}', 'nothing of the kind', '{"end":true}'];
    const honest = ['b', 'c', 'd'].map((name) => agentWith(source, ...nodes('10.244.X.0/24'), held(`p-${name}`, name)));
    const [b, c, d] = honest;
    // Of before: it tells the objects.
    const old = agentWith(source, ...nodes('10.244.1X.0/24'));
    old.digests = false;
    const { store, unanswered, told } = await recovered({ a: liar, b, c, d, e: old }, 60_000);
    assert.deepEqual(unanswered, []);
    assert.deepEqual(told, [SHA]);
    assert.deepEqual(await podsIn(store), ['uid-p-b', 'uid-p-c', 'uid-p-d']);
    const ranges = (await store.list('Node')).objects.map((node) => node.kind === 'Node' && node.spec.podCIDR);
    assert.deepEqual(
      ranges.sort(),
      [0, 1, 2, 3, 4].map((index) => `10.244.${index}.0/24`),
    );
    assert.deepEqual(old.parts, []);
  });

  it('reads agents that know no lines yet', async () => {
    const old = agentWith();
    const report: PodReport = {
      namespace: 'default',
      name: 'p1',
      uid: 'uid-p1',
      gone: false,
      status: { phase: 'Running' },
    };
    const whole = {
      info: {
        agentVersion: '0',
        bundleHash: '',
        runtimeHash: '',
        pid: 1,
        startedAt: '',
        epoch: 1,
        assignmentVersion: 'v',
      },
      node: NODE_REPORT,
      objects: [source, held('p1', 'a')],
      pods: [report],
    };
    old.machine.sockets.set(
      NODE_PATHS.socket,
      createServer((request, response) => {
        if (request.url === '/v1/inventory') return void response.end(JSON.stringify(whole));
        response.statusCode = 404;
        response.end('{}');
      }),
    );
    const { store } = await recovered({ a: old });
    const pod = await store.get(objectKey('Pod', 'default', 'p1'));
    assert.equal(pod?.kind === 'Pod' && pod.status?.phase, 'Running');
  });

  it('goes on above the epochs that it finds, and neither above an absurd one nor with the word of who claims it', async () => {
    const liar = agentWith(source, held('p3', 'b'));
    liar.epoch = 2 ** 53 - 1;
    const future = agentWith(source, held('p1', 'a'));
    future.epoch = Date.now() + 1_000_000;
    const result = await recovered({ a: future, b: liar });
    assert.equal(result.epoch, future.epoch + 1);
    assert.deepEqual(result.unanswered, ['b']);
    assert.deepEqual(await podsIn(result.store), ['uid-p1']);
    assert.ok(result.log.lines.some(({ level, fields }) => level === 'error' && fields?.['node'] === 'b'));
  });

  it('says of machines that did not answer that their pods are not known, but not when the cluster is new', async () => {
    const known = async (agents: Readonly<Record<string, FakeAgent | undefined>>): Promise<unknown> => {
      const { store } = await recovered(agents);
      return (await store.list('Node')).objects.map((node) =>
        node.kind === 'Node' ? [node.metadata.name, node.status?.conditions?.[0]?.type] : [],
      );
    };
    assert.deepEqual(await known({ a: agentWith(source), b: undefined }), [['b', 'PodsKnown']]);
    assert.deepEqual(await known({ a: undefined, b: undefined }), [
      ['a', 'PodsKnown'],
      ['b', 'PodsKnown'],
    ]);
    const bare = new FakeAgent();
    bare.machine.sockets.clear();
    bare.machine.programs.set('test', () => ({ code: 1, stdout: '', stderr: '' }));
    assert.deepEqual(await known({ a: bare, b: undefined }), []);
    assert.deepEqual(
      await known({ a: bare, b: undefined, c: undefined }),
      [
        ['b', 'PodsKnown'],
        ['c', 'PodsKnown'],
      ],
      'a new machine does not speak for those that ran',
    );
  });

  it('looks at no more pods of a node than it can have, and says so', async () => {
    const claims = Array.from({ length: 230 }, (_, index) => held(`p${index}`, 'a'));
    const { refused, log } = await recovered({ a: agentWith(source, ...claims) });
    assert.equal(refused.length, 220 - 4, 'twice 110; replicas and surge are followed');
    assert.ok(
      log.lines.some(({ level, fields }) => level === 'warn' && fields?.['node'] === 'a' && fields['pods'] === 10),
    );
  });

  it('can be made again after it was interrupted: what is there belongs together', async () => {
    const transport = new MemoryNodeTransport();
    transport.machines.set('198.18.0.2:22', agentWith(source, held('p1', 'a')).machine);
    const store = new MemoryObjectStore({ clock, ids: new CryptoIds() });
    const { incarnation } = await store.open(signal);
    const state = new Map([
      [keyOf(web), { key: keyOf(web), object: web, written: { ...web }, position: { file: 'a', line: 1, column: 1 } }],
    ]);
    const history = {
      applied: async () => ({ revision: SHA, state }),
      templates: async () => new Map([[keyOf(web), [web.spec.template]]]),
    };
    const again = () =>
      recover({
        store,
        incarnation,
        machines: [machine('a')],
        source: { name: 'main', url: 'u', branch: 'b' },
        history,
        transport,
        clock,
        log: new MemoryLog(),
        signal,
      });
    const write = store.write.bind(store);
    store.write = async (ops, stop) => {
      await write(ops.slice(0, 3), stop);
      throw new Error('interrupted');
    };
    await assert.rejects(again(), /interrupted/);
    store.write = write;
    await again();
    const [pod] = (await store.list('Pod')).objects;
    const set = await store.get(objectKey('ReplicaSet', 'default', `web-${hash}`));
    const owner = await store.get(keyOf(web));
    assert.equal(pod?.metadata.ownerReferences?.[0]?.uid, set?.metadata.uid);
    assert.equal(set?.metadata.ownerReferences?.[0]?.uid, owner?.metadata.uid);
  });
});

describe('what a node sends', () => {
  const read = async (
    chunks: readonly string[],
    limits: { readonly line: number; readonly total?: number },
  ): Promise<string[]> => {
    const lines: string[] = [];
    for await (const some of linesOf(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), limits))
      lines.push(...some);
    return lines;
  };

  it('is cut into lines wherever the chunks end', async () => {
    const text = 'a\nbb\n\nc\nno end';
    assert.deepEqual(await read([...text], { line: 10 }), ['a', 'bb', 'c']);
    for (let cut = 0; cut <= text.length; cut += 1)
      assert.deepEqual(await read([text.slice(0, cut), text.slice(cut)], { line: 10 }), ['a', 'bb', 'c']);
  });

  const tooMuch: readonly (readonly [string, readonly string[], { readonly line: number; readonly total?: number }])[] =
    [
      ['a line that does not end', ['12345', '67890', '1'], { line: 10 }],
      ['a line that is too long', ['12345678901\n'], { line: 10 }],
      ['too many lines', Array.from({ length: 20 }, () => 'abc\n'), { line: 10, total: 50 }],
    ];
  for (const [what, chunks, limits] of tooMuch)
    it(`is not read on after ${what}`, async () => assert.rejects(read(chunks, limits), { code: 'AnswerTooLarge' }));

  it('lets others have their turns while it is read, however fast it comes', async () => {
    let turns = 0;
    let reading = true;
    const others = (async () => {
      for (; reading; turns += 1)
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
    })();
    // It does not end before others had some.
    function* untilOthersHadTheirs(): Generator<Buffer> {
      while (turns < 5) yield Buffer.from('abc\n');
    }
    for await (const lines of linesOf(Readable.from(untilOthersHadTheirs()), { line: 10 }))
      assert.deepEqual(new Set(lines), new Set(['abc']));
    reading = false;
    await others;
  });

  it('counts what cannot be read, and keeps the rest', () => {
    const reader = new InventoryReader();
    const lines = [
      {
        info: {
          agentVersion: '0',
          bundleHash: '',
          runtimeHash: '',
          pid: 1,
          startedAt: '',
          epoch: 1,
          assignmentVersion: null,
        },
      },
      { object: held('p1', 'a') },
      { object: { ...held('p2', 'a'), spec: { containers: 'none' } } },
      { object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x', namespace: 'default' } } },
      // The second is of an agent of before, which wrote keys without the group.
      { held: ['secrets/default/s', 'Deployment/default/y', 'Nonsense/default/s', 7] },
      { pod: { namespace: 1 } },
      { unknown: true },
      null,
      'text',
    ];
    for (const line of lines) reader.take(JSON.stringify(line));
    reader.take('{');
    assert.throws(() => reader.finish(), { code: 'AgentFailed' }, 'it was cut off');
    reader.take('{"end":true}');
    const { claims, keys, pods, unread } = reader.finish();
    assert.deepEqual(
      claims.map((claim) => claim.metadata.name),
      ['p1'],
    );
    assert.deepEqual(keys, [
      'pods/default/p1',
      'pods/default/p2',
      'deployments.apps/default/x',
      'secrets/default/s',
      'deployments.apps/default/y',
    ]);
    assert.deepEqual([pods.length, unread], [0, 7]);
  });

  it('is an inventory of at most 32 MiB', async () => {
    const agent = new FakeAgent();
    agent.machine.sockets.set(
      NODE_PATHS.socket,
      createServer((_request, response) => {
        const line = `${JSON.stringify({ held: Array.from({ length: 1000 }, () => 'x'.repeat(600)) })}\n`;
        const send = (): void => {
          if (response.destroyed) return;
          response.write(line);
          setImmediate(send);
        };
        send();
      }),
    );
    const transport = new MemoryNodeTransport();
    transport.machines.set('198.18.0.2:22', agent.machine);
    const { name, address, port, user, hostKey } = { name: 'a', ...machine('a').spec };
    const connection = await transport.connect({ name, address, port, user, hostKey }, signal);
    await assert.rejects(new AgentClient(connection, clock).inventory(signal), { code: 'AnswerTooLarge' });
    await connection.close();
  });
});

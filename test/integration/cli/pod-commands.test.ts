/** `plumb top`, `logs` and `exec`, as far as they are the CLI's and the API's. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { EphemeralContainer, objectKey, PodSpec, type Node, type Pod } from '../../../contracts/objects/index.ts';
import type { Measured } from '../../../reconciler/controllers/metrics/measure-now.ts';
import { buildCli } from '../../support/built-cli.ts';
import type { SyncBench } from '../git/sync-bench.ts';
import { apiBench, type ApiBench } from './api-bench.ts';
import type { Ran } from './cli-bench.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

describe('commands about running pods', () => {
  let bench: SyncBench;
  let api: ApiBench;
  const run = (...args: readonly string[]): Promise<Ran> => api.run(...args);

  before(buildCli);
  beforeEach(async () => {
    api = await apiBench();
    ({ bench } = api);
  });
  afterEach(() => api.close());

  it('top shows what pods and nodes take, and says of what there is no sample', async () => {
    await api.makePod();
    for (const name of ['node-1', 'node-2']) {
      const made: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { name } }, spec: {} };
      await bench.writer.submit([{ do: 'create', object: made }], 'test', signal);
      const node = bench.cache.get(objectKey('Node', undefined, name));
      assert.ok(node);
      const status = { allocatable: { cpu: '2', memory: '1Gi' } };
      await bench.writer.submit([{ do: 'updateStatus', object: { ...node, status } }], 'test', signal);
    }
    const none = await run('top', 'pod');
    assert.equal(none.code, 1);
    assert.match(
      none.stderr,
      /note: no sample of pod default\/web-1: there is no sample of it yet[\s\S]*error: there is no sample/,
    );

    const { uid } = bench.cache.get('pods/default/web-1')?.metadata ?? assert.fail('no pod');
    const at = { timestamp: '2026-01-01T00:00:00Z', window: '2s' };
    const usage = { cpu: '250000001n', memory: '65536Ki' };
    api.measured = new Map<string, Measured>([
      [
        'node-1',
        {
          sample: {
            node: { metadata: { name: 'node-1' }, ...at, usage: { cpu: '1', memory: '512Mi' } },
            pods: new Map([
              [
                uid,
                {
                  metadata: { name: 'web-1', namespace: 'default', uid },
                  ...at,
                  containers: [{ name: 'web', usage }],
                },
              ],
            ]),
          },
        },
      ],
      ['node-2', { problem: 'node node-2 did not answer within 5 s' }],
    ]);
    const nodes = await run('top', 'node');
    assert.deepEqual(
      [nodes.code, nodes.stdout.split(/ *\n/).map((line) => line.split(/ {2,}/)), nodes.stderr],
      [
        0,
        [
          ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'],
          ['node-1', '1000m', '50%', '512Mi', '50%'],
          ['node-2', '<unknown>', '<unknown>', '<unknown>', '<unknown>'],
          [''],
        ],
        'note: no sample of node node-2: node node-2 did not answer within 5 s\n',
      ],
    );
    assert.match((await run('top', 'node', '-l', 'name=node-1', '--no-headers')).stdout, /^node-1 .*\n$/);
    assert.deepEqual((await run('top', 'node', 'node-2')).code, 1);
    assert.match(
      (await run('top', 'pod', '-A', '--containers')).stdout,
      /^NAMESPACE +POD +NAME +CPU\(cores\) +MEMORY\(bytes\)\ndefault +web-1 +web +251m +64Mi\n$/,
    );
    assert.match((await run('top', 'po', 'web-1')).stdout, /^NAME .*\nweb-1 +251m +64Mi\n$/);
    assert.equal((JSON.parse((await run('top', 'pod', '-o', 'json')).stdout) as { items: [] }).items.length, 1);
    const unknown = await run('top', 'pod', 'nothing');
    assert.deepEqual([unknown.code, unknown.stderr], [1, 'error: pods "nothing" not found in namespace default\n']);
    assert.equal((await run('top', 'pod', 'web-1', '-l', 'a=b')).code, 2);
    assert.equal((await run('top', 'pod', 'web-1', '-A')).code, 2);
    assert.equal((await run('top', 'pod', '--sort-by', 'name')).code, 2);
  });

  it('logs and exec reach the container; exec ends with its exit code', async () => {
    await api.makePod();
    assert.equal((await run('logs', 'web-1')).stdout, 'first\nsecond\n');
    const ran = await run('exec', 'web-1', '--', 'ls', '-la', 'a b');
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [7, 'ls|-la|a b\n', 'warned\n']);
    assert.equal((await run('logs', 'none')).code, 1);
  });

  it('logs that break off say so, and that the container runs on', async () => {
    await api.makePod();
    api.log = () =>
      Readable.from(
        (async function* () {
          yield 'first\n';
          throw new Error('the agent restarts');
        })(),
      );
    const ran = await run('logs', '-f', 'web-1');
    assert.equal(ran.code, 1);
    assert.match(
      ran.stderr,
      /^error: the log of pod default\/web-1 broke off: the agent of its node restarted, .*\n.*the container runs on; ask again\n$/,
    );
  });

  it('cp says which pod is not there, and what it was sent instead of an archive', async () => {
    await api.makePod();
    const none = await run('cp', 'none:/x', '.');
    assert.deepEqual([none.code, none.stderr], [1, 'error: pods "none" not found in namespace default\n']);
    const ran = await run('cp', 'web-1:/x', '.');
    assert.deepEqual([ran.code, ran.stderr], [1, 'warned\nerror: web-1:/x: tar ended with 7\n']);
  });

  it('logs of several containers are shown line by line, with whose they are', async () => {
    const spec = PodSpec.parse({
      nodeName: 'node-1',
      containers: [
        { name: 'app', image: 'x:1' },
        { name: 'side', image: 'x:1' },
      ],
      initContainers: [{ name: 'first', image: 'x:1' }],
    });
    for (const name of ['a', 'b', 'other']) {
      const labels = { app: name === 'other' ? 'other' : 'web' };
      const object: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels }, spec };
      await bench.writer.submit([{ do: 'create', object }], 'test', signal);
    }
    const debugged = bench.cache.get(objectKey('Pod', 'default', 'other'));
    assert.ok(debugged);
    const look = EphemeralContainer.parse({ name: 'look', image: 'x:1' });
    await bench.writer.submit(
      [{ do: 'update', object: { ...debugged, spec: { ...debugged.spec, ephemeralContainers: [look] } } }],
      'test',
      signal,
    );
    const lines = (...titles: readonly string[]): string =>
      titles.map((title) => `[pod/${title}] first\n[pod/${title}] second\n`).join('');
    assert.equal((await run('logs', '-l', 'app=web', '--prefix')).stdout, lines('a/app', 'b/app'));
    assert.equal((await run('logs', 'a', '--all-containers', '--prefix')).stdout, lines('a/first', 'a/app', 'a/side'));
    assert.equal(
      (await run('logs', 'other', '--all-containers', '--prefix')).stdout,
      lines('other/first', 'other/app', 'other/side', 'other/look'),
    );
    assert.equal(
      (await run('logs', '-l', 'app=web', '--tail=-1', '--since', '5m')).stdout,
      'first\nsecond\n'.repeat(2),
    );
    const followed = await run('logs', '-f', '-l', 'app=web', '--all-containers', '--max-log-requests', '5');
    assert.equal(followed.code, 1);
    assert.match(followed.stderr, /6 logs would be followed, and at most 5 are/);
    assert.equal((await run('logs', '-f', '-l', 'app=web', '--all-containers', '--max-log-requests', '6')).code, 0);
    assert.match((await run('logs', '-l', 'app=none')).stderr, /No resources found in default namespace/);
    for (const wrong of [
      [],
      ['a', '-l', 'app=web'],
      ['a', '-c', 'app', '--all-containers'],
      ['a', '--since', '5m', '--since-time', '2026-01-01T00:00:00Z'],
      ['a', '--since', '5'],
    ])
      assert.equal((await run('logs', ...wrong)).code, 2, wrong.join(' '));
    const noTime = await run('logs', 'a', '--since-time', 'yesterday');
    assert.deepEqual([noTime.code, /sinceTime/.test(noTime.stderr)], [1, true]);
  });
});

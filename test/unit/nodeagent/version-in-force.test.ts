/** A node says that a version is in force when neither its rules nor its proxy send to endpoints of one before. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import type { NetworkState } from '../../../nodeagent/core/assignment.ts';
import { startProxySync } from '../../../nodeagent/loops/proxy-sync.ts';
import { createVersionInForce } from '../../../nodeagent/loops/version-in-force.ts';
import type { Proxy, RunningProxy } from '../../../nodeagent/ports/proxy.ts';
import { patience } from '../../support/patience.ts';
import { endpoint, service, slice, TestAssignment, TestLocalPods } from '../network/world.ts';
import { backend, prefix, proxyConfig, rule } from '../proxy/configs.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function until(holds: () => boolean): Promise<void> {
  const isOver = patience(20_000);
  while (!holds()) {
    if (isOver()) throw new Error('it does not come true');
    await settled();
  }
}

describe('the version in force', () => {
  const rules = (version: string, error: string | null = null): NetworkState => ({ version, error });

  function world() {
    const assignment = new TestAssignment('node-1');
    const told: NetworkState[] = [];
    const inForce = createVersionInForce(assignment, (state) => told.push(state));
    const move = (): string => assignment.set(proxyConfig([]));
    return { inForce, move, told };
  }

  it('is that of the part which is behind, whichever it is', () => {
    const { inForce, move, told } = world();
    for (let version = 1; version <= 3; version += 1) move();
    inForce.noteNetwork(rules('1'));
    assert.deepEqual(told, []);
    inForce.noteProxy('2');
    inForce.noteNetwork(rules('3'));
    inForce.noteProxy('3');
    assert.deepEqual(
      told.map(({ version }) => version),
      ['1', '2', '3'],
    );
  });

  it('stays while a part looks at a newer one without being done, and tells of errors at once', () => {
    const { inForce, move, told } = world();
    move();
    inForce.noteProxy('1');
    inForce.noteNetwork(rules('1'));
    move();
    inForce.noteProxy('2');
    inForce.noteNetwork(rules('1', 'nft: no'));
    inForce.noteNetwork(rules('2'));
    assert.deepEqual(told, [rules('1'), rules('1', 'nft: no'), rules('2')]);
  });
});

/** A process of the edition that was loaded last. */
class FakeProxy implements Proxy {
  readonly places = { socket: '/run/proxy.sock', root: '/run/empty' };
  readonly user = undefined;
  #running: RunningProxy | undefined;
  /** Its answer to the next command. */
  answer: Promise<void> = Promise.resolve();
  commands = 0;
  isInstalled = true;

  missing = async (): Promise<string | undefined> => (this.isInstalled ? undefined : 'it is not there');
  isAlive = async (): Promise<boolean> => this.#running !== undefined;
  running = async (): Promise<RunningProxy | undefined> => this.#running;
  isFree = async (): Promise<boolean> => true;
  hasAddress = async (): Promise<boolean> => false;
  replaceCertificate = async (): Promise<undefined> => undefined;

  async load(edition: string): ReturnType<Proxy['load']> {
    this.#running = { edition, ports: [], servers: new Map() };
    return { ok: true };
  }

  async command(): Promise<void> {
    this.commands += 1;
    await this.answer;
  }

  async stop(): Promise<void> {
    this.#running = undefined;
  }
}

describe('the endpoints that a proxy sends to', () => {
  const web = service('web', '10.96.0.10', [{ name: 'http', port: 80 }]);
  const at = (...addresses: readonly string[]) =>
    slice(
      web,
      addresses.map((address) => endpoint(address)),
    );

  async function world(proxy: FakeProxy) {
    const assignment = new TestAssignment('node-1');
    const followed: string[] = [];
    const sync = startProxySync({
      assignment,
      pods: new TestLocalPods(),
      proxy,
      clock: systemClock,
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      onState: () => undefined,
      onEndpoints: (version) => followed.push(version),
      reloadPauseMs: 0,
    });
    const reached = (version: string): Promise<void> => until(() => followed.at(-1) === version);
    return { assignment, followed, reached, sync };
  }

  const gateway = proxyConfig(
    [{ port: 80, protocol: 'http', hosts: [{ hostname: '', rules: [rule(prefix('/'), 'web')] }] }],
    [backend('web')],
  );

  it('are followed when the process has taken the change', async () => {
    const proxy = new FakeProxy();
    const { assignment, followed, reached, sync } = await world(proxy);
    let taken = (): void => undefined;
    try {
      await reached(assignment.set(web, at('10.1.0.1', '10.1.0.2'), gateway));
      proxy.answer = new Promise((resolve) => {
        taken = resolve;
      });
      const before = followed.at(-1);
      const version = assignment.set(at('10.1.0.1'));
      await until(() => proxy.commands > 0);
      for (let turns = 0; turns < 20; turns += 1) await settled();
      assert.equal(followed.at(-1), before);
      taken();
      await reached(version);
    } finally {
      taken();
      await sync.close();
    }
  });

  it('hold up nobody where nothing is asked of the node, it has no such program, or that cannot be told', async () => {
    const proxy = new FakeProxy();
    const { assignment, reached, sync } = await world(proxy);
    try {
      await reached(assignment.set(web, at('10.1.0.1', '10.1.0.2')));
      proxy.isInstalled = false;
      await reached(assignment.set(gateway));
      await reached(assignment.set(at('10.1.0.2')));
      proxy.isInstalled = true;
      await reached(assignment.set({ ...gateway, metadata: { ...gateway.metadata, generation: 2 } }));
      proxy.answer = Promise.reject(new Error('no answer'));
      proxy.answer.catch(() => undefined);
      await reached(assignment.set(at('10.1.0.1')));
      assert.ok(proxy.commands > 0);
    } finally {
      await sync.close();
    }
  });
});

/** Addresses of sandboxes that are gone come back, those of living ones and of starts in progress stay. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryRuntime } from '../../../nodeagent/adapters/memory/container-runtime.ts';
import { memoryPodNetwork } from '../../../nodeagent/adapters/memory/pod-network.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { parseReservation, staleReservations, type Reservation } from '../../../nodeagent/core/cni/reservations.ts';
import { createAddressSweep, SANDBOX_PATIENCE_MS } from '../../../nodeagent/loops/address-keeper.ts';
import { podMaker } from '../../contract/container-runtime/pods.ts';

const id = (digit: string): string => digit.repeat(64);
const reservation = (address: string, sandboxId: string): Reservation => ({ address, sandboxId, device: 'eth0' });

describe("host-local's files", () => {
  const A = id('a');
  for (const [name, text, expected] of [
    ['198.19.1.2', `${A}\r\neth0`, { address: '198.19.1.2', sandboxId: A, device: 'eth0' }],
    ['198.19.1.2', A, { address: '198.19.1.2', sandboxId: A, device: 'eth0' }],
    ['last_reserved_ip.0', '198.19.1.2', undefined],
    ['lock', '', undefined],
    ['198.19.1.2', `default-${A}\r\neth0`, undefined],
    ['198.19.1.2', `${A}\r\neth0; reboot`, undefined],
    ['198.19.1.2', `${A}\r\neth0\r\nmore`, undefined],
    ['198.19.1', `${A}\r\neth0`, undefined],
  ] as const)
    it(`${name} ${JSON.stringify(text).slice(0, 40)}`, () => {
      assert.deepEqual(parseReservation(name, text), expected);
    });
});

describe('stale reservations', () => {
  const held = [reservation('198.19.1.2', id('a')), reservation('198.19.1.3', id('b'))];

  it('are those that every look of a whole start found without a sandbox', () => {
    const first = staleReservations(new Map(), held, new Set([id('a')]), 1000, 300);
    assert.deepEqual(first.stale, []);
    assert.deepEqual(staleReservations(first.strangers, held, new Set([id('a')]), 1299, 300).stale, []);
    assert.deepEqual(staleReservations(first.strangers, held, new Set([id('a')]), 1300, 300).stale, [held[1]]);
  });

  it('are counted anew when the sandbox was seen in between', () => {
    const none = staleReservations(new Map(), held, new Set(), 0, 300);
    const seen = staleReservations(none.strangers, held, new Set([id('a'), id('b')]), 299, 300);
    assert.deepEqual(staleReservations(seen.strangers, held, new Set(), 300, 300).stale, []);
  });
});

describe('the sweep of addresses', () => {
  it('gives back what no sandbox has, once its time is over', async () => {
    let now = 0;
    const lines: string[] = [];
    const note = (message: string): void => void lines.push(message);
    const network = memoryPodNetwork();
    const runtime = memoryRuntime(systemClock);
    const { newPod, sandboxOf } = podMaker(() => ({ image: 'any', logFolder: '/nowhere' }));
    const { signal } = new AbortController();
    const living = await runtime.runSandbox(sandboxOf(newPod()), signal);
    const foreign = await runtime.runSandbox(sandboxOf(newPod(), { labels: {} }), signal);
    network.reserve(reservation('198.19.1.2', living));
    network.reserve(reservation('198.19.1.3', foreign));
    network.reserve(reservation('198.19.1.4', id('c')));
    network.reserve(reservation('198.19.1.5', id('d')));
    network.occupy('198.19.1.5');
    const sweep = createAddressSweep({
      network,
      runtime,
      clock: { ...systemClock, monotonic: () => now },
      log: { debug: note, info: note, warn: note, error: note },
    });
    const addresses = async (): Promise<string[]> => (await network.reservations(signal)).map(({ address }) => address);

    assert.equal(await sweep(signal), 0);
    now = SANDBOX_PATIENCE_MS - 1;
    assert.equal(await sweep(signal), 0);
    now = SANDBOX_PATIENCE_MS;
    assert.equal(await sweep(signal), 1);
    assert.deepEqual(await addresses(), ['198.19.1.2', '198.19.1.3', '198.19.1.5']);
    assert.equal(await sweep(signal), 0);
    assert.deepEqual(lines, [
      'the address of a gone sandbox is not given back',
      'addresses of gone sandboxes given back',
    ]);
  });

  it('goes on past what cannot be given back, and comes back to it', async () => {
    let now = 0;
    const broken = new Set(Array.from({ length: 100 }, (_, i) => `198.19.1.${i + 2}`));
    const memory = memoryPodNetwork();
    for (const address of [...broken, '198.19.2.2']) memory.reserve(reservation(address, id('c')));
    const lines: string[] = [];
    const silent = (): void => undefined;
    const sweep = createAddressSweep({
      network: {
        ...memory,
        release: (one, ...rest) =>
          broken.has(one.address) ? Promise.reject(new Error('no plugin')) : memory.release(one, ...rest),
      },
      runtime: memoryRuntime(systemClock),
      clock: { ...systemClock, monotonic: () => now },
      log: {
        debug: silent,
        info: silent,
        error: silent,
        warn: (_words, fields) => void lines.push(JSON.stringify(fields)),
      },
    });
    const { signal } = new AbortController();
    await sweep(signal);
    now = SANDBOX_PATIENCE_MS;
    assert.deepEqual([await sweep(signal), await sweep(signal)], [0, 1], 'behind a hundred that fail');
    broken.clear();
    assert.deepEqual([await sweep(signal), await sweep(signal)], [64, 36]);
    assert.deepEqual(await memory.reservations(signal), []);
    assert.deepEqual([lines.length, lines[0]], [100, '{"address":"198.19.1.2","detail":"no plugin"}']);
  });
});

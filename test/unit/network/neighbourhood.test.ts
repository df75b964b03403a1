/** What the machine asks of its neighbours and tells them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { createNeighbourhood } from '../../../nodeagent/adapters/ip/neighbourhood.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';

const link = (ifname: string, local: string, flags: readonly string[] = ['UP']): object => ({
  ifname,
  flags,
  mtu: 1500,
  addr_info: [{ family: 'inet', local, prefixlen: 24 }],
});
const LINKS = [
  link('lo', '127.0.0.1'),
  link('eth0', '198.18.0.1'),
  link('eth1', '198.18.1.1'),
  link('down0', '198.18.2.1', []),
];
const VIP = '198.18.0.200';
const { signal } = new AbortController();
const nothing: RunCommand = () => Promise.reject(new Error('nothing is to be run'));

describe('whether a machine is there', () => {
  const open = async (): Promise<{ port: number; connections(): number } & AsyncDisposable> => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      connections: () => connections,
      [Symbol.asyncDispose]: async () => {
        server.close();
        await once(server, 'close');
      },
    };
  };
  /** A port of which nothing is heard, as behind a firewall. */
  const SILENT = 1;
  const firewalled = (at: { readonly host: string; readonly port: number }): Socket =>
    at.port === SILENT ? new Socket() : connect(at);
  /** Nobody listens there. */
  const closed = async (): Promise<number> => {
    await using server = await open();
    return server.port;
  };
  /** The kernel makes no TCP connection to a broadcast address: nothing is sent, and it fails at once. */
  const NOWHERE = '255.255.255.255';

  it('is so where it takes the connection', async () => {
    await using server = await open();
    const ports = { quiet: server.port, ssh: await closed() };
    assert.equal(await createNeighbourhood(nothing, ports).reaches('127.0.0.1', signal), true);
  });

  it('is so where it refuses it, and its sshd is not asked', async () => {
    await using sshd = await open();
    const ports = { quiet: await closed(), ssh: sshd.port };
    assert.equal(await createNeighbourhood(nothing, ports).reaches('127.0.0.1', signal), true);
    assert.equal(sshd.connections(), 0);
  });

  it('is so where only its sshd answers', async () => {
    await using sshd = await open();
    const neighbourhood = createNeighbourhood(nothing, { quiet: SILENT, ssh: sshd.port, open: firewalled });
    assert.equal(await neighbourhood.reaches('127.0.0.1', signal), true);
  });

  it('is not so where no connection can be made', async () => {
    assert.equal(await createNeighbourhood(nothing).reaches(NOWHERE, signal), false);
  });

  it('is not so when the time is over first', async () => {
    const neighbourhood = createNeighbourhood(nothing, { quiet: SILENT, ssh: SILENT, open: firewalled });
    const over = new AbortController();
    const asked = neighbourhood.reaches('127.0.0.1', over.signal);
    over.abort();
    assert.equal(await asked, false);
    assert.equal(await neighbourhood.reaches('127.0.0.1', over.signal), false);
  });
});

describe('telling neighbours of an address', () => {
  /** Devices that `arping` was run at. */
  const announced = async (devices: readonly string[]): Promise<readonly string[]> => {
    const at: string[] = [];
    const run: RunCommand = ([program, ...args]) => {
      if (program === 'ip') return Promise.resolve({ code: 0, stdout: JSON.stringify(LINKS), stderr: '' });
      assert.equal(program, 'arping');
      assert.deepEqual(args.slice(-3), ['-s', VIP, VIP]);
      at.push(args[args.indexOf('-I') + 1] ?? '');
      // What it ends with where nobody answers, as nobody has to.
      return Promise.resolve({ code: 1, stdout: '', stderr: '' });
    };
    assert.equal(await createNeighbourhood(run).announce(VIP, devices, '198.18.0.1', signal), 'done');
    return at;
  };

  it('is done at the device of the own address', async () => {
    assert.deepEqual(await announced([]), ['eth0']);
  });

  it('is done at the devices that are named, of those that are up', async () => {
    assert.deepEqual(await announced(['eth1', 'down0', 'none']), ['eth1']);
  });

  it('says so where the program is not installed', async () => {
    const run: RunCommand = ([program]) =>
      program === 'ip'
        ? Promise.resolve({ code: 0, stdout: JSON.stringify(LINKS), stderr: '' })
        : Promise.reject(Object.assign(new Error('spawn arping ENOENT'), { code: 'ENOENT' }));
    assert.equal(await createNeighbourhood(run).announce(VIP, [], '198.18.0.1', signal), 'unsupported');
  });

  it('fails where the program ran for too long', async () => {
    const run: RunCommand = () => Promise.reject(new Error('it ran for longer than 10 s'));
    await assert.rejects(createNeighbourhood(run).announce(VIP, [], '198.18.0.1', signal), /longer than/);
  });
});

import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import {
  MemoryMachine,
  MemoryNodeTransport,
  type MemoryProgram,
} from '../../../reconciler/adapters/memory/node-transport.ts';
import type { SshTarget } from '../../../reconciler/ports/node-transport.ts';
import { nodeTransportSuite } from './suite.ts';

const said = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const programs: Readonly<Record<string, MemoryProgram>> = {
  true: () => said(''),
  false: () => ({ code: 1, stdout: '', stderr: '' }),
  printf: ([, ...words]) => said(words.map((word) => `<${word}>`).join('')),
  cat: ([path], stdin, machine) =>
    said((path === undefined ? stdin : (machine.files.get(path)?.content ?? Buffer.alloc(0))).toString()),
  wc: ([, path = ''], _stdin, machine) => said(`${machine.files.get(path)?.content.length ?? 0} ${path}`),
  stat: ([, , path = ''], _stdin, machine) => said((machine.files.get(path)?.mode ?? 0).toString(8)),
  sleep: async ([seconds], _stdin, _machine, signal) => {
    await delay(Number(seconds) * 1000, undefined, { signal });
    return said('');
  },
};

nodeTransportSuite('memory', async () => {
  const transport = new MemoryNodeTransport();
  const machine = new MemoryMachine('ssh-ed25519 AAAA1');
  for (const [name, program] of Object.entries(programs)) machine.programs.set(name, program);
  const stranger = new MemoryMachine('ssh-ed25519 AAAA2');
  stranger.authorized = false;
  machine.address = '127.0.0.1';
  transport.machines.set('localhost:1', machine).set('127.0.0.1:1', machine).set('127.0.0.1:2', stranger);
  const target = (over: Partial<SshTarget> = {}): SshTarget => ({
    name: 'loop',
    address: '127.0.0.1',
    port: 1,
    user: 'root',
    hostKey: machine.hostKey,
    ...over,
  });
  return {
    transport,
    folder: '/files',
    target,
    async listen(server: Server) {
      machine.sockets.set('/run/test.sock', server);
      return '/run/test.sock';
    },
    dropConnections: () => machine.dropConnections(),
    stranger: async () => ({ transport, target: target({ port: 2, hostKey: stranger.hostKey }) }),
    async changeHostKey() {
      machine.hostKey = 'ssh-ed25519 AAAA3';
      return machine.hostKey;
    },
    closedPort: async () => 3,
    close: () => transport.close(),
  };
});

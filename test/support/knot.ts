/**
 * Debian's knot for tests: serves example.com, where every name has one address, and takes updates that are signed with
 * its key. On a port of the loopback, in a temporary folder, ended by `close`.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './folder.ts';
import { freePort } from './free-port.ts';
import { inTime } from './in-time.ts';
import { interrupted, whenInterrupted } from './interruption.ts';
import { tied } from './tied.ts';

export interface TestKnot {
  readonly port: number;
  readonly keyName: string;
  /** base64, of `hmac-sha256`. */
  readonly secret: string;
  /** The texts of a name's TXT records. */
  texts(name: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

const START_MS = 60_000;
const LOOK_MS = 50;
const ADDRESS = '127.0.0.1';
const KEY_NAME = 'plumb-key.example.com';

export async function startTestKnot(): Promise<TestKnot> {
  const dir = makeFolder('plumb-knot-');
  const port = await freePort();
  const secret = randomBytes(32).toString('base64');
  const zone = ['$TTL 60', '@ SOA ns admin 1 60 60 600 1', '@ NS ns', `@ A ${ADDRESS}`, `* A ${ADDRESS}`, ''];
  await writeFile(join(dir, 'example.com.zone'), zone.join('\n'));
  const config = [
    'server:',
    `  rundir: ${dir}`,
    `  listen: ${ADDRESS}@${port}`,
    'database:',
    `  storage: ${dir}`,
    'key:',
    `  - id: ${KEY_NAME}`,
    '    algorithm: hmac-sha256',
    `    secret: ${secret}`,
    'acl:',
    '  - id: update',
    `    key: ${KEY_NAME}`,
    '    action: update',
    'zone:',
    '  - domain: example.com',
    `    storage: ${dir}`,
    '    file: example.com.zone',
    '    zonefile-sync: -1',
    '    acl: update',
    '',
  ];
  await writeFile(join(dir, 'knot.conf'), config.join('\n'), { mode: 0o600 });
  const [program, ...args] = tied('knotd', '-c', join(dir, 'knot.conf'));
  const server = spawn(program, args, { stdio: 'ignore' });
  const ended = once(server, 'exit');
  const close = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  const forget = whenInterrupted(`the knot in ${dir}`, close);
  const [looking, asking] = [new Resolver({ timeout: 1000, tries: 1 }), new Resolver({ timeout: 10_000, tries: 3 })];
  for (const resolver of [looking, asking]) resolver.setServers([`${ADDRESS}:${port}`]);
  const started: TestKnot = {
    port,
    keyName: KEY_NAME,
    secret,
    texts: async (name) => {
      const found = await asking.resolveTxt(name).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENODATA' || error.code === 'ENOTFOUND') return [];
        throw error;
      });
      return found.map((parts) => parts.join('')).sort();
    },
    close: () => close().finally(forget),
  };
  const answers = async (): Promise<void> => {
    while (!interrupted.aborted) {
      const found = await looking.resolve4('example.com').catch(() => []);
      if (found.length > 0) return;
      await delay(LOOK_MS);
    }
  };
  try {
    const failed = ended.then(() => Promise.reject(new Error('knotd ended')));
    failed.catch(() => undefined);
    await Promise.race([inTime('knot answers', START_MS, answers()), failed]);
    return started;
  } catch (error) {
    await started.close();
    throw error;
  }
}

/**
 * Debian's pebble, an ACME server for tests, with a DNS server for which all names have one address: on ports of the
 * loopback, in a temporary folder, ended by `close`. It refuses a twentieth of all nonces, as it does by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './folder.ts';
import { freePorts } from './free-port.ts';
import { testAuthority } from './git/certificates.ts';
import { inTime } from './in-time.ts';
import { interrupted, whenInterrupted } from './interruption.ts';
import { tied } from './tied.ts';

export interface TestPebble {
  /** Of its directory. */
  readonly url: string;
  /** PEM: what its own certificate is verified by. */
  readonly ca: string;
  close(): Promise<void>;
}

export interface PebbleOptions {
  /** The IPv4 address that every name has. */
  readonly address: string;
  /** Where challenges are looked for. */
  readonly httpPort: number;
  /** How long a certificate lasts. */
  readonly lifeSeconds?: number;
  /** The port of the loopback where names are looked up, instead of `address` for all of them. */
  readonly dnsPort?: number;
}

const START_MS = 60_000;
const LOOK_MS = 50;

export async function startTestPebble({ address, httpPort, lifeSeconds, ...more }: PebbleOptions): Promise<TestPebble> {
  const dir = makeFolder('plumb-pebble-');
  const authority = testAuthority();
  const [port = 0, managementPort = 0, ownDnsPort = 0] = await freePorts(3);
  const dnsPort = more.dnsPort ?? ownDnsPort;
  const { cert, key } = authority.issue('IP:127.0.0.1');
  await writeFile(join(dir, 'cert.pem'), cert);
  await writeFile(join(dir, 'key.pem'), key, { mode: 0o600 });
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: join(dir, 'cert.pem'),
    privateKey: join(dir, 'key.pem'),
    httpPort,
    tlsPort: 5001,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    ...(lifeSeconds !== undefined && { certificateValidityPeriod: lifeSeconds }),
  };
  await writeFile(join(dir, 'pebble.json'), JSON.stringify({ pebble }));
  const dns = ['-defaultIPv4', address, '-defaultIPv6', '', '-dns01', `127.0.0.1:${dnsPort}`];
  const none = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-management', ''];
  const processes = [
    ...(more.dnsPort === undefined ? [start('pebble-challtestsrv', [...dns, ...none])] : []),
    start('pebble', ['-config', join(dir, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`]),
  ];
  const close = async (): Promise<void> => {
    for (const one of processes) one.kill('SIGKILL');
    await Promise.all(processes.map(ended));
    authority.remove();
    await rm(dir, { recursive: true, force: true });
  };
  const forget = whenInterrupted(`the ACME server in ${dir}`, close);
  const url = `https://127.0.0.1:${port}/dir`;
  const started = { url, ca: authority.cert, close: () => close().finally(forget) };
  try {
    const failed = Promise.race(processes.map(ended)).then(() => Promise.reject(new Error('pebble ended')));
    failed.catch(() => undefined);
    await Promise.race([inTime('pebble answers', START_MS, answers(url, authority.cert)), failed]);
    return started;
  } catch (error) {
    await started.close();
    throw error;
  }
}

function start(program: string, args: readonly string[]): ChildProcess {
  const [file, ...rest] = tied(program, ...args);
  const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0' };
  return spawn(file, rest, { stdio: 'ignore', env });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function answers(url: string, ca: string): Promise<void> {
  while (!interrupted.aborted) {
    const status = await new Promise<number>((resolve) => {
      const asked = request(url, { ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on('error', () => {
        resolve(0);
      });
      asked.end();
    });
    if (status === 200) return;
    await delay(LOOK_MS);
  }
}

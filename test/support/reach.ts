/**
 * Processes that open connections to each other from wherever they were started: each answers at some ports, and tells of
 * many connections at once whether they were answered.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { tied } from './tied.ts';

export type Reach = readonly [address: string, protocol: 'TCP' | 'UDP', port: number];

export interface Reacher {
  /** Whether each was answered within `timeoutMs`. */
  reaches(targets: readonly Reach[], timeoutMs: number): Promise<readonly boolean[]>;
  /** The name of who answered each within `timeoutMs`; undefined where nobody did. All at once. */
  asks(targets: readonly Reach[], timeoutMs: number): Promise<readonly (string | undefined)[]>;
  close(): Promise<void>;
}

/** `enter`: argv that enters the place. Answers with `name` at these ports of TCP and UDP when it resolves. */
export async function startReacher(enter: readonly string[], ports: readonly number[], name = 'y'): Promise<Reacher> {
  const [program, ...args] = tied(
    ...enter,
    process.execPath,
    '--max-old-space-size=32',
    '-e',
    SCRIPT,
    name,
    ...ports.map(String),
  );
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const next = lineOf(child, lines);
  await next();
  const asks: Reacher['asks'] = async (targets, timeoutMs) => {
    child.stdin.write(`${JSON.stringify({ targets, timeoutMs })}\n`);
    const answers = JSON.parse(await next()) as readonly (string | null)[];
    return answers.map((answer) => answer ?? undefined);
  };
  return {
    asks,
    async reaches(targets, timeoutMs) {
      return (await asks(targets, timeoutMs)).map((answer) => answer !== undefined);
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function lineOf(child: ChildProcess, lines: Interface): () => Promise<string> {
  const exit = once(child, 'exit').then(() => {
    throw new Error('a test process ended');
  });
  exit.catch(() => undefined);
  const heard: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  lines.on('line', (line) => {
    const first = waiting.shift();
    if (first) first(line);
    else heard.push(line);
  });
  return () => {
    const line = heard.shift();
    return line === undefined
      ? Promise.race([exit, new Promise<string>((resolve) => waiting.push(resolve))])
      : Promise.resolve(line);
  };
}

const SCRIPT = `
const net = require('net'), dgram = require('dgram'), readline = require('readline');
const name = process.argv[1], ports = process.argv.slice(2).map(Number);
const up = ports.flatMap((port) => [
  new Promise((r) => net.createServer((s) => { s.on('error', () => {}); s.end(name); }).listen(port, '0.0.0.0', r)),
  new Promise((r) => { const s = dgram.createSocket('udp4'); s.on('message', (m, at) => s.send(name, at.port, at.address)); s.on('error', () => {}); s.bind(port, r); }),
]);
const tcp = (address, port, ms) => new Promise((r) => {
  const s = net.connect({ host: address, port, timeout: ms });
  const end = (x) => { s.destroy(); r(x); };
  const late = setTimeout(() => end(), ms);
  s.on('data', (said) => { clearTimeout(late); end(String(said)); }); s.on('error', () => { clearTimeout(late); end(); });
});
const udp = (address, port, ms) => new Promise((r) => {
  const s = dgram.createSocket('udp4');
  const late = setTimeout(() => { s.close(); r(); }, ms);
  s.on('message', (said) => { clearTimeout(late); s.close(); r(String(said)); }); s.on('error', () => {});
  s.send('?', port, address, () => {});
});
Promise.all(up).then(() => console.log('up'));
readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { targets, timeoutMs } = JSON.parse(line);
  console.log(JSON.stringify(await Promise.all(targets.map(([a, p, n]) => (p === 'TCP' ? tcp : udp)(a, n, timeoutMs)))));
});
`;

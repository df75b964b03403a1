/**
 * `npm run bench:dns`: questions a second for each second of processor time, and how long an answer takes, of the server
 * that each node's agent has, against Debian's knot with the same names (one thread). `dnsperf` asks both, one after the
 * other: at full speed for the rate, at a low rate for the times. Needs the packages knot and dnsperf.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { commandLine } from '../test/support/command-line.ts';
import { makeFolder } from '../test/support/folder.ts';
import { fullName, PEER, PORT, SERVER, zoneFile } from './dns/zone.ts';

const run = promisify(execFile);
/** Of the kernel's accounting (getconf CLK_TCK). */
const TICKS = 100;
/** Questions a second at which the time of an answer is its own, not that of a queue. */
const CALM = 1000;
const AIM = 0.5;
const options = commandLine('bench:dns', {
  names: { takes: 'number', default: 10_000, least: 1, says: 'Services' },
  seconds: { takes: 'number', default: 5, least: 1, says: 'of each measurement' },
});

interface Measured {
  /** Answers for each second of processor time. */
  readonly perCore: number;
  readonly perSecond: number;
  /** Milliseconds at {@link CALM} questions a second. */
  readonly p50: number;
  readonly p99: number;
}

async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

async function ask(address: string, questions: string, more: readonly string[]): Promise<string> {
  const argv = ['-s', address, '-p', String(PORT), '-d', questions, '-l', String(options.seconds), ...more];
  return (await run('dnsperf', argv, { maxBuffer: 512 * 1024 * 1024 })).stdout;
}

async function measure(address: string, pid: number, questions: string): Promise<Measured> {
  await ask(address, questions, ['-c', '8']);
  const before = await cpuSeconds(pid);
  const fast = await ask(address, questions, ['-c', '8']);
  const cpu = (await cpuSeconds(pid)) - before;
  const answers = Number(/Queries completed:\s+(\d+)/.exec(fast)?.[1]);
  if (!/NOERROR \d+ \(100\.00%\)/.test(fast)) throw new Error(`some questions had no answer:\n${fast}`);
  const calm = await ask(address, questions, ['-c', '8', '-Q', String(CALM), '-v']);
  const times = [...calm.matchAll(/^> NOERROR \S+ A ([\d.]+)$/gm)].map(([, time]) => Number(time) * 1000);
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? Number.NaN;
  return { perCore: answers / cpu, perSecond: answers / options.seconds, p50: at(0.5), p99: at(0.99) };
}

/** Bundled, as the agent is: what runs a file of TypeScript as it is adds the name of each closure as that is made. */
async function startServer(dir: string): Promise<ChildProcess> {
  const outfile = join(dir, 'server.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'dns', 'server.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
  });
  return spawn(process.execPath, [outfile, String(options.names)], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function startPeer(dir: string): Promise<ChildProcess> {
  await mkdir(join(dir, 'db'));
  await writeFile(join(dir, 'cluster.local.zone'), zoneFile(options.names));
  await writeFile(
    join(dir, 'knot.conf'),
    [
      `server:\n    rundir: ${dir}\n    listen: ${PEER}@${PORT}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1`,
      `database:\n    storage: ${dir}/db`,
      `zone:\n  - domain: cluster.local\n    storage: ${dir}\n    file: cluster.local.zone`,
      '',
    ].join('\n'),
  );
  return spawn('knotd', ['-c', join(dir, 'knot.conf')], { stdio: 'ignore' });
}

/** Until it answers, ten seconds at most. */
async function answers(address: string, questions: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const said = await run('dnsperf', ['-s', address, '-p', String(PORT), '-d', questions, '-n', '1', '-t', '1']).catch(
      () => undefined,
    );
    if (said && /NOERROR \d+ \(100/.test(said.stdout)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`nobody answers at ${address}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await exit;
}

async function main(): Promise<void> {
  const dir = makeFolder('plumb-bench-dns-');
  const children: ChildProcess[] = [];
  try {
    const questions = join(dir, 'questions');
    const names = Array.from({ length: options.names }, (_, i) => `${fullName((i * 7919) % options.names)} A\n`);
    await writeFile(questions, names.join(''));
    const [server, peer] = [await startServer(dir), await startPeer(dir)];
    children.push(server, peer);
    await Promise.all([answers(SERVER, questions), answers(PEER, questions)]);
    const ours = await measure(SERVER, server.pid ?? 0, questions);
    const knot = await measure(PEER, peer.pid ?? 0, questions);
    const ratio = ours.perCore / knot.perCore;
    const line = (name: string, { perCore, perSecond, p50, p99 }: Measured): string =>
      `  ${name.padEnd(10)}${Math.round(perCore)} answers per second of processor time (${Math.round(perSecond)}/s), p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms\n`;
    process.stdout.write(
      `${options.names} names, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}\n${line('plumbline', ours)}${line('knot', knot)}  ratio     ${ratio.toFixed(2)} (aim: ${AIM} or better)\n`,
    );
    process.stdout.write(`${JSON.stringify({ bench: 'dns', names: options.names, ours, knot, ratio, aim: AIM })}\n`);
  } finally {
    await Promise.all(children.map(ended));
    await rm(dir, { recursive: true, force: true });
  }
}

await main();

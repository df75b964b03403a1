/**
 * `npm run bench:services`: what Services cost a node. The agent as it is shipped, on a host of its own, with real rules: all
 * Services at once, one more beside them, memory, the first packet of a connection, and connections through a Service
 * against those to the pod itself. Floors in the same run: `nft` loading the same rules from a file, `nft` with one small
 * change, the runtime that runs nothing, and the pod's own address. Needs the packages nftables, haproxy and wrk.
 */
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { commandLine } from '../test/support/command-line.ts';
import { addressOf, BASE, BenchNode, PORT, SERVER, serviceAt } from './services/node.ts';

const HERE = join(import.meta.dirname, 'services');
const AIMS = { addMs: 20, loadMs: 2000, within: 0.05 };
/** The aims are for this many. */
const AIMED = 10_000;
const options = commandLine('bench:services', {
  most: { takes: 'number', default: 30_000, least: 10, says: 'Services at most' },
  repeats: { takes: 'number', default: 30, least: 3, says: 'Services that are added, one after the other' },
  connections: { takes: 'number', default: 2000, least: 100, says: 'connections for the time of the first packet' },
  seconds: { takes: 'number', default: 3, least: 1, says: 'of each of five rounds of requests' },
});
const SIZES = [10, 1000, AIMED, 30_000].filter((size) => size <= options.most);
const ROUNDS = 5;

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}
const median = (values: readonly number[]): number => at(values, 0.5);

interface Floor {
  /** The same rules, by `nft -f`. */
  readonly loadMs: number;
  readonly loadCpuMs: number;
  /** One small change to a table of its own, by `nft -f`. */
  readonly addMs: number;
  readonly addCpuMs: number;
}

interface AtSize {
  readonly services: number;
  readonly loadMs: number;
  /** Processor time of the agent and of nft: what a busy machine does not blur. Also that of looking what is in force. */
  readonly loadCpuMs: number;
  readonly addMs: number;
  readonly addCpuMs: number;
  readonly addP99Ms: number;
  /** Of `addMs`, until the change is on the node's disk. */
  readonly acknowledgedMs: number;
  readonly floor: Floor;
  readonly memoryMb: number;
  /** Microseconds until a connection is open, through a Service and to the pod. */
  readonly firstUs: number;
  readonly firstFloorUs: number;
}

async function measure(bench: BenchNode, services: number): Promise<AtSize> {
  const all = Array.from({ length: services }, (_, i) => serviceAt(i, i === 0)).flat();
  await bench.assign({ upsert: BASE, whole: true });
  const before = await bench.cpuMs();
  const loadMs = await bench.assign({ upsert: all });
  const loaded = await bench.cpuMs();
  const added: number[] = [];
  const acknowledged: number[] = [];
  for (let i = 0; i < options.repeats; i += 1) {
    added.push(await bench.assign({ upsert: serviceAt(services + i) }));
    acknowledged.push(bench.acknowledgedMs);
  }
  const addCpuMs = ((await bench.cpuMs()) - loaded) / options.repeats;
  const memoryMb = await bench.memory();
  const floor = await floors(bench);
  const first = await connections(bench, addressOf(0), 80);
  const direct = await connections(bench, SERVER, PORT);
  return {
    services,
    loadMs,
    loadCpuMs: loaded - before,
    addMs: median(added),
    addCpuMs,
    addP99Ms: at(added, 0.99),
    acknowledgedMs: median(acknowledged),
    floor,
    memoryMb,
    firstUs: median(first),
    firstFloorUs: median(direct),
  };
}

/** One small change beside our table, and all its rules once more under another name. */
async function floors(bench: BenchNode): Promise<Floor> {
  const timesOf = async (times: number, file: string): Promise<{ readonly ms: number; readonly cpuMs: number }> => {
    const argv = [process.execPath, join(HERE, 'nft-times.mjs'), String(times), file];
    const { ms, cpuMs } = JSON.parse(await bench.host.run(argv)) as { readonly ms: number[]; readonly cpuMs: number };
    return { ms: median(ms), cpuMs };
  };
  const small = await bench.file(
    'add table ip floor-one\nadd map ip floor-one m { type ipv4_addr : verdict; }\nadd chain ip floor-one c\nadd rule ip floor-one c accept\nadd element ip floor-one m { 192.0.2.1 : goto c }\n',
  );
  const add = await timesOf(options.repeats, small);
  const rules = await bench.host.run(['nft', 'list', 'table', 'ip', 'plumbline']);
  const whole = await bench.file(
    `add table ip floor-all\ndelete table ip floor-all\n${rules.replace('table ip plumbline', 'table ip floor-all')}`,
  );
  const load = await timesOf(1, whole);
  await bench.host.run(['nft', 'delete table ip floor-all; delete table ip floor-one']);
  return { loadMs: load.ms, loadCpuMs: load.cpuMs, addMs: add.ms, addCpuMs: add.cpuMs };
}

async function connections(bench: BenchNode, address: string, port: number): Promise<number[]> {
  const argv = [process.execPath, join(HERE, 'connect.mjs'), address, String(port), String(options.connections)];
  return JSON.parse(await bench.inPod('cli', argv)) as number[];
}

interface Requests {
  readonly perSecond: number;
  readonly latencyUs: number;
}

/** Requests on open connections, or each on one of its own. */
async function requests(bench: BenchNode, address: string, port: number, anew: boolean): Promise<Requests> {
  const argv = [
    'wrk',
    '-t1',
    '-c16',
    `-d${options.seconds}s`,
    '--latency',
    ...(anew ? ['-H', 'Connection: close'] : []),
  ];
  const said = await bench.inPod('cli', [...argv, `http://${address}:${port}/`]);
  if (/Non-2xx/.test(said)) throw new Error(said);
  const [, value = '', unit = 'us'] = /50%\s+([\d.]+)(us|ms|s)/.exec(said) ?? [];
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1]),
    latencyUs: Number(value) * { us: 1, ms: 1000, s: 1_000_000 }[unit as 'us'],
  };
}

/** Through the Service against the pod's own address, in turns: medians. */
async function compared(
  bench: BenchNode,
  anew: boolean,
): Promise<{ readonly through: Requests; readonly direct: Requests; readonly ratio: number }> {
  const [through, direct]: [Requests[], Requests[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    through.push(await requests(bench, addressOf(0), 80, anew));
    direct.push(await requests(bench, SERVER, PORT, anew));
  }
  const of = (all: readonly Requests[]): Requests => ({
    perSecond: median(all.map(({ perSecond }) => perSecond)),
    latencyUs: median(all.map(({ latencyUs }) => latencyUs)),
  });
  return { through: of(through), direct: of(direct), ratio: of(through).perSecond / of(direct).perSecond };
}

async function main(): Promise<void> {
  const sizes: AtSize[] = [];
  let kept: Awaited<ReturnType<typeof compared>> | undefined;
  let anew: Awaited<ReturnType<typeof compared>> | undefined;
  let bareMb = 0;
  for (const size of SIZES) {
    const bench = await BenchNode.start();
    try {
      bareMb = await bareMemory(bench);
      const found = await measure(bench, size);
      sizes.push(found);
      process.stdout.write(line(found));
      if (size !== Math.min(AIMED, SIZES.at(-1) ?? AIMED)) continue;
      kept = await compared(bench, false);
      anew = await compared(bench, true);
    } finally {
      await bench.close();
    }
  }
  for (const [what, found] of [
    ['open connections', kept],
    ['a connection each', anew],
  ] as const)
    if (found)
      process.stdout.write(
        `  requests, ${what}: through a Service ${Math.round(found.through.perSecond)}/s p50 ${found.through.latencyUs} us, to the pod ${Math.round(found.direct.perSecond)}/s p50 ${found.direct.latencyUs} us, ratio ${found.ratio.toFixed(3)} (aim: within ${AIMS.within})\n`,
      );
  process.stdout.write(
    `  ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}; the runtime alone ${bareMb.toFixed(0)} MB; aims at ${AIMED}: one more in ${AIMS.addMs} ms, all in ${AIMS.loadMs} ms, the first packet the same at all sizes\n`,
  );
  process.stdout.write(
    `${JSON.stringify({ bench: 'services', sizes, kept, anew, bareMb, aims: AIMS, load: loadavg()[0] })}\n`,
  );
}

async function bareMemory(bench: BenchNode): Promise<number> {
  const script = "process.stdout.write(require('fs').readFileSync('/proc/self/status', 'utf8'))";
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(await bench.host.run([bench.runtime, '-e', script]))?.[1]) / 1024;
}

function line(found: AtSize): string {
  const { services, floor } = found;
  const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
  return [
    `  ${services} Services\n`,
    `    all       ${ms(found.loadMs)} ms, cpu ${ms(found.loadCpuMs)} ms (nft alone ${ms(floor.loadMs)}, cpu ${ms(floor.loadCpuMs)})\n`,
    `    one more  ${ms(found.addMs)} ms, p99 ${ms(found.addP99Ms)}, ${ms(found.acknowledgedMs)} of it for the disk, cpu ${ms(found.addCpuMs)} ms (nft alone ${ms(floor.addMs)}, cpu ${ms(floor.addCpuMs)})\n`,
    `    agent     ${ms(found.memoryMb)} MB\n`,
    `    connected in ${ms(found.firstUs)} us (to the pod ${ms(found.firstFloorUs)})\n`,
  ].join('');
}

await main();

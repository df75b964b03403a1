/**
 * `npm run bench:pods`: how fast pods start, on a lab of three hosts.
 *
 * - `push`: 100 Deployments of two pods from one push, until all are Ready, against the raw CRI loop on the same hosts.
 * - `density`: on hosts that have so many pods already, others one after the other: from a pod's creation in the store to
 *   Ready in the store, against a start by the raw CRI loop; and what the agents weigh by then, against bare Node.js.
 * - `jobs`: Jobs of one pod that ends at once and goes with its Job, against the raw CRI loop of RunPodSandbox,
 *   CreateContainer, StartContainer, the end, StopPodSandbox and RemovePodSandbox.
 *
 * The raw loop has as many pods in flight on each host as its agent makes sandboxes at once.
 */
import { availableParallelism, loadavg } from 'node:os';
import { commandLine } from '../test/support/command-line.ts';
import { eventually, Fleet } from '../test/e2e/fleet.ts';
import { agentShare, total, type Share } from './agent-processes.ts';
import { deployment, IMAGE, job, oneByOne } from './pods/manifests.ts';
import { PodWatch, type PodTimes } from './pods/pod-times.ts';
import { planeCpuSeconds } from './pods/plane-cpu.ts';
import { inFlight, RawHost } from './raw-cri.ts';

const PARTS = ['push', 'density', 'jobs'] as const;
const options = commandLine('bench:pods', {
  part: { takes: 'names', of: PARTS, says: 'what to measure' },
  quick: { takes: 'nothing', says: 'a small run: a tenth of the pods' },
  limit: { takes: 'number', default: 300, least: 1, says: 'seconds that may pass until pods are ready' },
});
/** As SANDBOXES_PER_CPU of the agent. */
const IN_FLIGHT = 4 * availableParallelism();
const DEPLOYMENTS = options.quick ? 10 : 100;
const JOBS = options.quick ? 60 : 1000;
/** In one push: pods of ended Jobs go while others start. */
const JOBS_AT_ONCE = 500;
const LEVELS = options.quick ? [1, 10] : [1, 10, 50, 100];
/** Pods that are started one after the other on each host; with them a host has all that it takes. */
const SAMPLES = options.quick ? 4 : 10;
/** Megabytes of an agent and its helpers, by the pods that it has. */
const MEMORY_AIMS: ReadonlyMap<number, number> = new Map([
  [10, 72],
  [110, 110],
]);
const MEMORY_LOOKS = 5;
const AIM_P99_MS = 1000;
const AIM_JOBS = 1.5;

const SLEEPS = ['sleep', '86400'];
const ENDS = ['true'];

class Bench {
  readonly #fleet: Fleet;
  readonly #watch: PodWatch;

  constructor(fleet: Fleet, watch: PodWatch) {
    this.#fleet = fleet;
    this.#watch = watch;
  }

  get #nodes(): readonly string[] {
    return this.#fleet.lab.nodes.map(({ name }) => name);
  }

  /**
   * One pod on each host: the image is there afterwards, and every path was gone once. From now on a commit may drop
   * all.
   */
  async warm(): Promise<void> {
    const { stdout } = await this.#fleet.git(['show', 'HEAD:plumbline.yaml']);
    await this.#fleet.write('plumbline.yaml', `${stdout.trimEnd()}\n  sync: {maxPrunePercent: 100}\n`);
    await this.#put(
      'warm',
      this.#nodes.map((node) => deployment({ name: `warm-${node}`, app: `warm-${node}`, replicas: 1, node })),
    );
    for (const node of this.#nodes) await this.#ready(`warm-${node}`, 1);
    await this.#remove(
      'warm',
      this.#nodes.map((node) => `warm-${node}`),
    );
  }

  async push(): Promise<void> {
    const apps = Array.from({ length: DEPLOYMENTS }, (_, i) => `web-${i}`);
    const floor = await this.#rawPods(2 * DEPLOYMENTS);
    const cpu = await planeCpuSeconds(this.#fleet);
    const started = performance.now();
    await this.#put(
      'web',
      apps.map((app) => deployment({ name: app, app, replicas: 2 })),
    );
    for (const app of apps) await this.#ready(app, 2);
    const tookMs = performance.now() - started;
    const cpuSeconds = (await planeCpuSeconds(this.#fleet)) - cpu;
    const times = apps.flatMap((app) => this.#watch.of(app));
    await this.#remove('web', apps);
    print(`${apps.length} Deployments of 2 pods from one push`, [
      ['until all are Ready', ms(tookMs)],
      ['floor: raw CRI loop', ms(floor)],
      ['ratio', `${ratio(tookMs, floor)} x`],
      ['control plane and Redis, processor time', `${cpuSeconds.toFixed(1)} s`],
      ...startRows(times),
    ]);
    json('push', {
      pods: times.length,
      readyMs: Math.round(tookMs),
      rawCriMs: Math.round(floor),
      ratio: ratio(tookMs, floor),
      planeCpuSeconds: round(cpuSeconds),
      ...startFigures(times),
    });
  }

  async density(): Promise<void> {
    const floorMb = await this.#bareNodeMb();
    for (const level of LEVELS) {
      const fills = this.#nodes.map((node) => ({ name: `fill-${node}`, app: `fill-${node}`, node }));
      const before = this.#watch.of(fills[0]?.app ?? '').length;
      await this.#put(
        'fill',
        fills.map((one) => deployment({ ...one, replicas: level })),
      );
      for (const { app } of fills) await this.#ready(app, level);
      const burst = fills.flatMap(({ app }) => this.#watch.of(app).slice(before));
      const memory = await this.#memory();
      const alone = spread(await this.#rawOneByOne());

      const apps = this.#nodes.map((node) => ({ name: `one-${level}-${node}`, app: `one-${level}-${node}`, node }));
      const cpu = await planeCpuSeconds(this.#fleet);
      const began = performance.now();
      await this.#put(
        'one',
        apps.map((one) => oneByOne({ ...one, replicas: SAMPLES })),
      );
      for (const { app } of apps) await this.#ready(app, SAMPLES);
      const cpuShare = ((await planeCpuSeconds(this.#fleet)) - cpu) / ((performance.now() - began) / 1000);
      const times = apps.flatMap(({ app }) => this.#watch.of(app));
      const most = level + SAMPLES;
      const memoryThen = MEMORY_AIMS.has(most) ? await this.#memory() : undefined;
      await this.#remove(
        'one',
        apps.map(({ app }) => app),
      );

      const { p50, p99 } = spread(times.map(startMs));
      print(`from ${level} pods on each host, ${SAMPLES} more one after the other`, [
        ...startRows(times),
        ['aim for p99', ms(AIM_P99_MS)],
        ['floor: raw CRI start, one at a time on each host, p50 and p99', `${ms(alone.p50)}, ${ms(alone.p99)}`],
        ['ratio of the p50s', `${ratio(p50, alone.p50)} x`],
        ['control plane and Redis, processors meanwhile', cpuShare.toFixed(2)],
        [
          `the ${burst.length} before them at once, from created to Ready, p50 and p99`,
          `${ms(spread(burst.map(startMs)).p50)}, ${ms(spread(burst.map(startMs)).p99)}`,
        ],
        ...memoryRows(level, memory, floorMb),
        ...(memoryThen === undefined ? [] : memoryRows(most, memoryThen, floorMb)),
      ]);
      json('density', {
        podsPerNode: level,
        ...startFigures(times),
        aimP99Ms: AIM_P99_MS,
        within: p99 <= AIM_P99_MS,
        rawCriP50Ms: Math.round(alone.p50),
        rawCriP99Ms: Math.round(alone.p99),
        ratio: ratio(p50, alone.p50),
        planeCpus: round(cpuShare),
        burst: { pods: burst.length, ...startFigures(burst) },
        memory: [
          memoryFigures(level, memory, floorMb),
          ...(memoryThen === undefined ? [] : [memoryFigures(most, memoryThen, floorMb)]),
        ],
      });
    }
    await this.#remove(
      'fill',
      this.#nodes.map((node) => `fill-${node}`),
    );
  }

  async jobs(): Promise<void> {
    const floor = await this.#rawJobs(JOBS);
    const cpu = await planeCpuSeconds(this.#fleet);
    const names = Array.from({ length: JOBS }, (_, i) => `job-${i}`);
    let tookMs = 0;
    for (let first = 0; first < JOBS; first += JOBS_AT_ONCE) {
      const chunk = names.slice(first, first + JOBS_AT_ONCE);
      await this.#put(
        'jobs',
        chunk.map((name) => job(name, ENDS)),
      );
      await eventually(
        `${chunk.length} Jobs are complete and gone`,
        options.limit,
        () => chunk.every((name) => this.#watch.completed.has(name)) && this.#watch.there('jobs') === 0,
      );
      const made = Math.min(...chunk.map((name) => this.#watch.jobsMade.get(name) ?? Infinity));
      tookMs += performance.now() - made;
    }
    const cpuSeconds = (await planeCpuSeconds(this.#fleet)) - cpu;
    await this.#remove('jobs', ['jobs']);
    const perSecond = JOBS / (tookMs / 1000);
    print(`${JOBS} Jobs of one pod, ${Math.min(JOBS, JOBS_AT_ONCE)} a push, until each is complete and its pod gone`, [
      ['Jobs a second', perSecond.toFixed(1)],
      [`floor: raw CRI loop, ${IN_FLIGHT} in flight on each host, a second`, (JOBS / (floor / 1000)).toFixed(1)],
      ['ratio', `${ratio(tookMs, floor)} x (aim: ${AIM_JOBS})`],
      ['control plane and Redis, processor time', `${cpuSeconds.toFixed(1)} s`],
    ]);
    json('jobs', {
      jobs: JOBS,
      perSecond: round(perSecond),
      rawCriPerSecond: round(JOBS / (floor / 1000)),
      ratio: ratio(tookMs, floor),
      aim: AIM_JOBS,
      planeCpuSeconds: round(cpuSeconds),
    });
  }

  // ---- what is pushed

  async #put(file: string, manifests: readonly string[]): Promise<void> {
    await this.#fleet.write(`apps/${file}.yaml`, manifests.join('---\n'));
    await this.#fleet.commitAndPush(`Write ${file}`);
  }

  async #ready(app: string, count: number): Promise<void> {
    await eventually(`${count} pods of ${app} are ready`, options.limit, () => this.#watch.ready(app) >= count);
  }

  async #remove(file: string, apps: readonly string[]): Promise<void> {
    await this.#fleet.removeFiles(`apps/${file}.yaml`);
    await eventually(`the pods of ${file} are gone`, options.limit, () =>
      apps.every((app) => this.#watch.there(app) === 0),
    );
  }

  // ---- the floors

  async #raw<T>(work: (hosts: readonly RawHost[]) => Promise<T>): Promise<T> {
    const hosts = await RawHost.all(this.#fleet, options.limit);
    try {
      return await work(hosts);
    } finally {
      await Promise.all(hosts.map((host) => host.close()));
    }
  }

  /** Milliseconds until so many pods run; they are removed afterwards, which is not counted. */
  #rawPods(count: number): Promise<number> {
    return this.#raw(async (hosts) => {
      const pods = hosts.map((_, at) => Array.from({ length: Math.ceil((count - at) / hosts.length) }, () => at));
      const started = performance.now();
      const made = await Promise.all(
        hosts.map(async (host, at) => {
          const mine: Awaited<ReturnType<RawHost['start']>>[] = [];
          await inFlight(IN_FLIGHT, pods[at] ?? [], async () => {
            mine.push(await host.start(IMAGE, SLEEPS));
          });
          return mine;
        }),
      );
      const took = performance.now() - started;
      await Promise.all(hosts.map((host, at) => inFlight(IN_FLIGHT, made[at] ?? [], (pod) => host.remove(pod))));
      return took;
    });
  }

  /** Milliseconds of each start, one at a time on each host. */
  #rawOneByOne(): Promise<readonly number[]> {
    return this.#raw(async (hosts) => {
      const times: number[] = [];
      await Promise.all(
        hosts.map((host) =>
          inFlight(1, Array.from({ length: SAMPLES }), async () => {
            const started = performance.now();
            const pod = await host.start(IMAGE, SLEEPS);
            times.push(performance.now() - started);
            await host.remove(pod);
          }),
        ),
      );
      return times;
    });
  }

  #rawJobs(count: number): Promise<number> {
    return this.#raw(async (hosts) => {
      const started = performance.now();
      await Promise.all(
        hosts.map((host, at) =>
          inFlight(IN_FLIGHT, Array.from({ length: Math.ceil((count - at) / hosts.length) }), async () => {
            const pod = await host.start(IMAGE, ENDS);
            await host.ended(pod);
            await host.remove(pod);
          }),
        ),
      );
      return performance.now() - started;
    });
  }

  // ---- memory

  /** Of each host the median of some looks, a second apart. */
  async #memory(): Promise<readonly Share[]> {
    const shares: Share[] = [];
    for (const node of this.#nodes) {
      const first = await this.#fleet.initPid(node);
      const looks: Share[] = [];
      for (let i = 0; i < MEMORY_LOOKS; i += 1) {
        looks.push(await agentShare(first));
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      const median = looks.sort((a, b) => total(a) - total(b))[Math.floor(MEMORY_LOOKS / 2)];
      if (median) shares.push(median);
    }
    return shares;
  }

  async #bareNodeMb(): Promise<number> {
    const script = "process.stdout.write(require('fs').readFileSync('/proc/self/status', 'utf8'))";
    const { stdout } = await this.#fleet.on(this.#nodes[0] ?? '', ['/opt/plumbline/current/node', '-e', script]);
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(stdout)?.[1] ?? Number.NaN) / 1024;
  }
}

// ---- figures

const startMs = ({ created, ready }: PodTimes): number => (ready ?? Number.NaN) - created;

/** Nearest rank. */
function spread(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

const STAGES: readonly (readonly [string, string, (times: PodTimes) => number])[] = [
  ['from created to Ready', 'ready', startMs],
  ['from created to bound', 'bound', ({ created, bound }) => (bound ?? Number.NaN) - created],
  [
    'from bound to Running, as reported',
    'running',
    ({ bound, running }) => (running ?? Number.NaN) - (bound ?? Number.NaN),
  ],
];

function startRows(times: readonly PodTimes[]): readonly (readonly [string, string])[] {
  return STAGES.map(([what, , of]) => {
    const { p50, p99 } = spread(times.map(of));
    return [`${what}, p50 and p99 of ${times.length}`, `${ms(p50)}, ${ms(p99)}`];
  });
}

function startFigures(times: readonly PodTimes[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    STAGES.flatMap(([, name, of]) => {
      const { p50, p99 } = spread(times.map(of));
      return [
        [`${name}P50Ms`, Math.round(p50)],
        [`${name}P99Ms`, Math.round(p99)],
      ];
    }),
  );
}

function heaviest(shares: readonly Share[]): number {
  return Math.max(...shares.map(total));
}

function memoryRows(pods: number, shares: readonly Share[], floorMb: number): readonly (readonly [string, string])[] {
  const aim = MEMORY_AIMS.get(pods);
  const agent = Math.max(...shares.map(({ agentMb }) => agentMb));
  return [
    [
      `agent with ${pods} pods, the heaviest of ${shares.length}: alone, with its helpers`,
      `${agent.toFixed(0)} MB, ${heaviest(shares).toFixed(0)} MB${aim === undefined ? '' : ` (aim: ${aim} MB)`}`,
    ],
    ['ratio to bare Node.js', `${ratio(heaviest(shares), floorMb)} x`],
  ];
}

function memoryFigures(pods: number, shares: readonly Share[], floorMb: number): object {
  const aimMb = MEMORY_AIMS.get(pods);
  return {
    pods,
    agentMb: Math.round(Math.max(...shares.map(({ agentMb }) => agentMb))),
    inAllMb: Math.round(heaviest(shares)),
    bareNodeMb: Math.round(floorMb),
    ratio: ratio(heaviest(shares), floorMb),
    ...(aimMb !== undefined && { aimMb }),
  };
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;
const round = (value: number): number => Number(value.toFixed(2));
const ratio = (value: number, floor: number): number => round(value / floor);

function print(title: string, rows: readonly (readonly [string, string])[]): void {
  const lines = rows.map(([what, value]) => `  ${what.padEnd(72)} ${value}`);
  process.stdout.write(`${title}\n${lines.join('\n')}\n`);
}

function json(part: string, figures: object): void {
  const load = round(loadavg()[0] ?? Number.NaN);
  process.stdout.write(`${JSON.stringify({ bench: 'pods', part, cores: availableParallelism(), load, ...figures })}\n`);
}

async function main(): Promise<void> {
  const fleet = await Fleet.start({
    name: 'bpods',
    subnet: '198.18.17.0/24',
    podCIDR: '198.18.96.0/19',
    serviceCIDR: '198.19.128.0/20',
    nodes: 3,
  });
  let watch: PodWatch | undefined;
  try {
    watch = await PodWatch.open(fleet);
    const bench = new Bench(fleet, watch);
    await bench.warm();
    for (const part of PARTS) if (options.part.includes(part)) await bench[part]();
  } finally {
    await watch?.close();
    await fleet.close();
  }
}

await main();

/**
 * `npm run bench:scheduling`: the scheduling library in one process on the workloads of Kubernetes' scheduler_perf, and
 * how its cost grows. The floor, in the same run: the least that a scheduler which looks at all nodes must do
 * (scheduling/floor.ts). Then what a committer of places that others propose costs (scheduling/commits.ts), and pods
 * through Redis and BullMQ (scheduling/end-to-end.ts). `--help` says how to run some of it.
 */
import { cpus, loadavg } from 'node:os';
import { commandLine } from '../test/support/command-line.ts';
import { measureCommits, type Commits } from './scheduling/commits.ts';
import { endToEnd } from './scheduling/end-to-end.ts';
import { floorMicros } from './scheduling/floor.ts';
import { growthWithNodes, growthWithPods, type Growth } from './scheduling/growth.ts';
import { qualityOf, type Quality, type Spread } from './scheduling/quality.ts';
import { run, type Run, type Workload } from './scheduling/run.ts';
import { WORKLOADS, type NamedWorkload } from './scheduling/workloads.ts';

const PARTS = {
  workloads: measureWorkloads,
  growth: measureGrowth,
  commits: measureProposals,
  e2e: measureEndToEnd,
};
const options = commandLine('bench:scheduling', {
  part: { takes: 'names', of: Object.keys(PARTS), says: 'what to measure' },
  only: { takes: 'pattern', of: WORKLOADS.map(({ name }) => name), says: 'workloads with this in their name' },
  rounds: { takes: 'number', default: 3, least: 1, says: 'runs of each, whose median is shown' },
});
const ROUNDS = options.rounds;
const FLOOR_PODS = 1000;
/**
 * So that the functions have met every kind of pod before anything is measured, as in a scheduler that has run for a
 * while.
 */
const WARM_UP = 0.04;

interface Measured {
  readonly workload: NamedWorkload;
  readonly nodes: number;
  readonly floor: number;
  /** The round with the median of processor time. */
  readonly run: Run;
  readonly quality: Quality;
}

function measureOnce(workload: NamedWorkload): Measured {
  let made: Workload | undefined;
  const result = run(() => (made = workload.make(1)));
  const nodes = made?.nodes ?? [];
  return {
    workload,
    nodes: nodes.length,
    floor: floorMicros(nodes.length, FLOOR_PODS),
    run: result,
    quality: qualityOf(nodes, result.placements),
  };
}

function measure(workloads: readonly NamedWorkload[]): Measured[] {
  for (const workload of WORKLOADS) run(() => workload.make(WARM_UP));
  const rounds = Array.from({ length: ROUNDS }, () => workloads.map(measureOnce));
  return workloads.flatMap((_, at) => {
    const results = rounds.flatMap((round) => round[at] ?? []).sort((a, b) => a.run.perCpuSecond - b.run.perCpuSecond);
    return results[Math.floor(results.length / 2)] ?? [];
  });
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const micros = (value: number): string => (value < 100 ? value.toFixed(1) : whole(value));
const range = ({ min, max, stddev }: Spread): string =>
  `${Number(min.toFixed(2))}..${Number(max.toFixed(2))} (sd ${stddev})`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, at) => Math.max(cell.length, ...rows.map((row) => row[at]?.length ?? 0)));
  return [header, ...rows]
    .map((row) =>
      row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}

function workloadTables(measured: readonly Measured[]): string {
  const speed = table(
    [
      'workload',
      'pods/s',
      'pods/cpu s',
      'mean us',
      'p50',
      'p99',
      'p99 cpu',
      'x floor',
      'kube-scheduler',
      'ratio',
      'aim',
    ],
    measured.map(({ workload, run: r, floor }) => {
      const kubernetes = workload.kubernetes;
      return [
        workload.name,
        whole(r.perSecond),
        whole(r.perCpuSecond),
        micros(r.cpuMicros.mean),
        micros(r.cpuMicros.p50),
        micros(r.micros.p99),
        micros(r.cpuMicros.p99),
        (1e6 / r.perCpuSecond / floor).toFixed(1),
        kubernetes ? `${kubernetes.perSecond} ${kubernetes.is}` : '',
        kubernetes ? `${(r.perSecond / kubernetes.perSecond).toFixed(1)} x` : '',
        workload.aim === undefined ? '' : whole(workload.aim),
      ];
    }),
  );
  const quality = table(
    [
      'workload',
      'placed',
      'refused',
      'violations',
      'cpu % per node',
      'pods per node',
      'pods per zone',
      'skew/maxSkew',
      'victims per preemptor',
    ],
    measured.map(({ workload, run: r, quality: q }) => [
      workload.name,
      whole(r.placed),
      whole(r.refused),
      Object.keys(q.violations).length === 0 ? '0' : JSON.stringify(q.violations),
      range(q.cpuPercent),
      range(q.podsPerNode),
      range(q.podsPerZone),
      q.skew ? `${q.skew.found}/${q.skew.maxSkew}` : '',
      r.preemptors === 0 ? '' : `${(r.victims / r.preemptors).toFixed(2)} (${r.preemptors})`,
    ]),
  );
  return `${speed}\n\n${quality}\n`;
}

function growthTable(title: string, growth: readonly Growth[]): string {
  const rows = growth.flatMap(({ nodes, existing, floorMicros: floor, runs }) =>
    Object.entries(runs).map(([name, r]) => [
      `${whole(nodes)} nodes, ${whole(existing)} pods there, ${name}`,
      whole(r.perCpuSecond),
      micros(r.cpuMicros.mean),
      micros(r.cpuMicros.p50),
      micros(r.cpuMicros.p99),
      (1e6 / r.perCpuSecond / floor).toFixed(1),
      whole(r.buildMs),
      r.megabytes.objects.toFixed(0),
      r.megabytes.state.toFixed(1),
      r.megabytes.candidates.toFixed(1),
    ]),
  );
  return `\n${table([title, 'pods/cpu s', 'mean us', 'p50', 'p99', 'x floor', 'build ms', 'objects MB', 'state MB', 'candidates MB'], rows)}\n`;
}

const figures = (
  { perSecond, perCpuSecond, micros: { p99 }, cpuMicros, buildMs, megabytes }: Run,
  floor: number,
): object => ({
  perSecond: Math.round(perSecond),
  perCpuSecond: Math.round(perCpuSecond),
  meanMicros: round(cpuMicros.mean),
  p99Micros: round(p99),
  p99CpuMicros: round(cpuMicros.p99),
  floorRatio: round(1e6 / perCpuSecond / floor),
  buildMs: Math.round(buildMs),
  stateMb: round(megabytes.state),
  candidatesMb: round(megabytes.candidates),
});
function round(value: number): number {
  return Number(value.toFixed(1));
}

async function measureEndToEnd(): Promise<void> {
  const loadBefore = loadavg()[0] ?? 0;
  const e = await endToEnd(ROUNDS);
  const row = (what: string, ms: number): string => `  ${what.padEnd(66)} ${whole(ms).padStart(7)} ms\n`;
  process.stdout.write(
    `\n${whole(e.pods)} pods on ${whole(e.nodes)} nodes through Redis and BullMQ, ${cpus().length} cores for this process and redis-server, load before ${loadBefore.toFixed(1)}, median of ${ROUNDS} rounds\n` +
      row('first creation to last binding', e.totalMs) +
      row('all pods created (500 in a write; bindings begin meanwhile)', e.createdMs) +
      row('first binding', e.firstBindingMs) +
      row('waking the lane through BullMQ, the first time', e.wakingMs) +
      row(`choosing nodes, in ${e.passes} passes`, e.placingMs) +
      row('writing bindings, while other things go on', e.writingMs) +
      row('processor time of this process', e.cpuMs) +
      row('processor time of redis-server', e.redisCpuMs) +
      row('floor: the creations and bindings alone, one write after the other', e.floorMs) +
      row('floor, processor time of this process', e.floorCpuMs) +
      `  pods per second ${whole((1000 * e.pods) / e.totalMs)}, ratio to the floor ${(e.totalMs / e.floorMs).toFixed(2)} x, by processor time ${(e.cpuMs / e.floorCpuMs).toFixed(2)} x\n`,
  );
  process.stdout.write(
    `${JSON.stringify({
      bench: 'scheduling-e2e',
      cores: cpus().length,
      rounds: ROUNDS,
      load: [loadBefore, loadavg()[0]],
      ...Object.fromEntries(Object.entries(e).map(([name, value]) => [name, Math.round(value as number)])),
      perSecond: Math.round((1000 * e.pods) / e.totalMs),
      ratio: Number((e.totalMs / e.floorMs).toFixed(2)),
      cpuRatio: Number((e.cpuMs / e.floorCpuMs).toFixed(2)),
    })}\n`,
  );
}

function measureWorkloads(only: string): void {
  const loadBefore = loadavg()[0] ?? 0;
  process.stdout.write(
    `scheduling library in one process, Node.js ${process.version}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? ''}), load before ${loadBefore.toFixed(1)}, median of ${ROUNDS} rounds\n` +
      'All nodes are filtered and scored for every pod: no sampling (kube-scheduler looks at about a tenth of 5,000).\n' +
      'kube-scheduler: "CI floor" is the least that Kubernetes\' CI accepts, "measured" what it was measured at there; both include the API server and are from other hardware.\n' +
      'pods/s and p99: by the clock. pods/cpu s, mean, p50, p99 cpu and x floor: by processor time, which other load on this machine does not stretch. us: microseconds per pod.\n\n',
  );
  const measured = measure(WORKLOADS.filter(({ name }) => name.includes(only)));
  process.stdout.write(workloadTables(measured));
  process.stdout.write(
    `${JSON.stringify({
      bench: 'scheduling',
      cores: cpus().length,
      rounds: ROUNDS,
      load: [loadBefore, loadavg()[0]],
      workloads: measured.map(({ workload: { name, kubernetes, aim }, nodes, floor, run: r, quality }) => ({
        name,
        nodes,
        placed: r.placed,
        refused: r.refused,
        ...figures(r, floor),
        kubernetes,
        ratio: kubernetes && round(r.perSecond / kubernetes.perSecond),
        aim,
        ...quality,
        ...(r.preemptors > 0 && { victimsPerPreemptor: round(r.victims / r.preemptors) }),
      })),
    })}\n`,
  );
}

function measureGrowth(): void {
  const withNodes = growthWithNodes([100, 500, 1000, 2000, 5000]);
  const withPods = growthWithPods([1000, 10_000, 50_000, 150_000]);
  process.stdout.write(growthTable('growth with nodes', withNodes) + growthTable('growth with pods', withPods));
  const grown = (growth: readonly Growth[]): object[] =>
    growth.flatMap(({ nodes, existing, floorMicros: floor, runs }) =>
      Object.entries(runs).map(([name, r]) => ({ name, nodes, existing, ...figures(r, floor) })),
    );
  process.stdout.write(
    `${JSON.stringify({ bench: 'scheduling-growth', cores: cpus().length, withNodes: grown(withNodes), withPods: grown(withPods) })}\n`,
  );
}

function measureProposals(only: string): void {
  const measured = WORKLOADS.filter(({ name }) => name.includes(only)).flatMap(
    ({ name, make }): (Commits & { readonly name: string })[] => {
      measureCommits(make(WARM_UP));
      const commits = measureCommits(make(1));
      return commits ? [{ name, ...commits }] : [];
    },
  );
  process.stdout.write(
    `\n${table(
      ['places proposed by others, processor time per pod', 'pods', 'propose us', 'commit us', 'propose/commit'],
      measured.map(({ name, pods, proposeMicros, commitMicros }) => [
        name,
        whole(pods),
        micros(proposeMicros),
        micros(commitMicros),
        (proposeMicros / commitMicros).toFixed(1),
      ]),
    )}\n`,
  );
  process.stdout.write(
    `${JSON.stringify({ bench: 'scheduling-commits', workloads: measured.map((one) => ({ ...one, proposeMicros: round(one.proposeMicros), commitMicros: round(one.commitMicros) })) })}\n`,
  );
}

for (const [name, measurePart] of Object.entries(PARTS))
  if (options.part.includes(name)) await measurePart(options.only);

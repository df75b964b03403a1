/**
 * `npm run bench:apps`: from a commit to applied, of many Apps in one repository: plain YAML, Kustomize and Helm, all of them
 * new (cold) and then with one changed; and of one changed line among many plain objects. Real are the control plane (a
 * process of its own), its private Redis, Git and the engines; Deployments have no pods, and there are no nodes.
 *
 * Floors of the same run: Kustomize and Helm called by hand, once for each App, as many at a time as there are cores, without
 * a sandbox; for plain YAML the native Git reading all files of the commit. Part `git`: a repository of many plain objects cloned
 * and fetched by the native Git in turn with us.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { controlPlane, type ControlPlaneClient } from '../cli/control-plane.ts';
import type { Source } from '../contracts/objects/index.ts';
import { findProgram } from '../reconciler/adapters/engines/programs.ts';
import { commandLine } from '../test/support/command-line.ts';
import { makeFolder } from '../test/support/folder.ts';
import { commit, write } from './apps/commits.ts';
import { measureFetching } from './apps/fetching.ts';
import { app, CLUSTER, nameOf, objects, type Files } from './apps/repository.ts';
import { pause } from './scale/measure.ts';
import { Child, residentMb } from './scale/processes.ts';

const APPLIED = ['yaml', 'kustomize', 'helm', 'objects'] as const;
type Part = (typeof APPLIED)[number];
const PARTS = [...APPLIED, 'git'] as const;
/** Calls by hand, from which those for all Apps are reckoned. */
const SAMPLED = 40;
const LOOK_MS = 50;
/** Of processor time within a second: what a push leaves to others (Namespaces' accounts, looks at health) is done. */
const QUIET_SECONDS = 0.1;
const MOST_SETTLING_MS = 120_000;
const run = promisify(execFile);

const options = commandLine('bench:apps', {
  apps: { takes: 'number', default: 1000, least: 1, says: 'Apps of each kind' },
  objects: { takes: 'number', default: 10_000, least: 1, says: 'plain objects among which a line is changed' },
  changes: { takes: 'number', default: 5, least: 1, says: 'changes, whose median is shown' },
  part: { takes: 'names', of: PARTS, says: 'what to measure' },
  profile: { takes: 'path', says: 'a folder for CPU profiles of the control plane' },
  limit: { takes: 'number', default: 600, least: 1, says: 'seconds for each push' },
});

interface Cost {
  readonly seconds: number;
  /** Processor time of the control plane's own process, and of all programs that it ran and that have ended. */
  readonly cpu: number;
  readonly programs: number;
}

interface Measured {
  readonly part: Part;
  readonly cold: Cost;
  /** Medians of one App, or one object, changed. */
  readonly changed: Cost;
  readonly floorSeconds: number;
  readonly ratio: number;
  readonly objects: number;
  readonly rssMb: number;
  readonly peakMb: number;
  readonly bytesPerObject: number;
}

class Bench {
  readonly #dir: string;
  readonly #plane: Child;
  readonly #client: ControlPlaneClient;

  private constructor(dir: string, plane: Child) {
    this.#dir = dir;
    this.#plane = plane;
    this.#client = controlPlane(join(dir, 'home'));
  }

  static async start(dir: string): Promise<Bench> {
    const repo = join(dir, 'repo');
    await mkdir(repo, { recursive: true });
    await run('git', ['init', '-q', '-b', 'main', repo]);
    await writeFile(join(repo, 'plumbline.yaml'), CLUSTER);
    const profiling = options.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', options.profile];
    const bench = new Bench(
      dir,
      await commitAnd(repo, () => Child.start('control-plane.ts', [join(dir, 'home'), repo, dir], profiling)),
    );
    await bench.#applied(await head(repo));
    return bench;
  }

  get pid(): number {
    return this.#plane.pid;
  }

  get repo(): string {
    return join(this.#dir, 'repo');
  }

  /** Commits the files and waits until they are applied. */
  async push(files: Files): Promise<Cost> {
    await write(this.repo, files);
    const before = await cpuOf(this.pid);
    await commit(this.repo);
    const started = performance.now();
    await this.#applied(await head(this.repo));
    const seconds = (performance.now() - started) / 1000;
    const after = await cpuOf(this.pid);
    return { seconds, cpu: after.own - before.own, programs: after.programs - before.programs };
  }

  /** Waits until nothing goes on any more. */
  async settle(): Promise<void> {
    const deadline = performance.now() + MOST_SETTLING_MS;
    for (let before = await cpuOf(this.pid); performance.now() < deadline;) {
      await pause(1000);
      const now = await cpuOf(this.pid);
      if (now.own - before.own < QUIET_SECONDS) return;
      before = now;
    }
  }

  async close(): Promise<void> {
    await this.#plane.end(30_000);
  }

  async #applied(sha: string): Promise<void> {
    const deadline = performance.now() + options.limit * 1000;
    for (;;) {
      const { status } = await this.#client.get<Source>('/apis/plumbline.dev/v1alpha1/sources/scale');
      const record = status?.history.find(({ revision }) => revision === sha);
      if (status?.appliedRevision === sha) return;
      if (record?.outcome === 'Refused' || record?.outcome === 'Failed') throw new Error(record.message);
      if (performance.now() > deadline) throw new Error(`${sha} is not applied after ${options.limit} s`);
      await pause(LOOK_MS);
    }
  }
}

async function commitAnd<T>(repo: string, then: () => Promise<T>): Promise<T> {
  await commit(repo);
  return then();
}

async function head(repo: string): Promise<string> {
  return (await run('git', ['-C', repo, 'rev-parse', 'HEAD'])).stdout.trim();
}

/** Source: proc_pid_stat(5), utime to cstime, in ticks of which the kernel has 100 a second. */
async function cpuOf(pid: number): Promise<{ readonly own: number; readonly programs: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (i: number): number => (fields[i] ?? Number.NaN) / 100;
  return { own: at(11) + at(12), programs: at(13) + at(14) };
}

async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Seconds for all Apps by hand, reckoned from some of them. */
async function floor(part: Part, repo: string): Promise<number> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  if (part === 'yaml' || part === 'objects') {
    await run('git', ['-C', repo, 'archive', '--format=tar', '-o', '/dev/null', 'HEAD']);
    return seconds();
  }
  const { path } = await findProgram(
    part,
    { dir: join(import.meta.dirname, '../.cache/engines'), env: process.env },
    new AbortController().signal,
  );
  const names = Array.from({ length: Math.min(SAMPLED, options.apps) }, (_, i) => nameOf(i));
  const began = performance.now();
  const queue = names.values();
  const work = async (): Promise<void> => {
    for (const name of queue)
      await run(
        path,
        part === 'kustomize'
          ? ['kustomize', join(repo, 'apps', name)]
          : ['template', name, join(repo, 'charts/web'), '--values', join(repo, 'values', `${name}.yaml`)],
      );
  };
  await Promise.all(Array.from({ length: cpus().length }, work));
  return ((performance.now() - began) / 1000 / names.length) * options.apps;
}

function filesOf(part: Part): Files {
  if (part === 'objects') return objects(options.objects, 'a');
  const all = Array.from({ length: options.apps }, (_, i) => app(part, i, 'web:1').files);
  return Object.assign({}, ...all) as Files;
}

function change(part: Part, round: number): Files {
  if (part === 'objects') {
    const [[path = '', text = ''] = []] = Object.entries(objects(options.objects, `b${round}`));
    return { [path]: text };
  }
  const { files, changed } = app(part, round % options.apps, `web:${round + 2}`);
  return { [changed]: files[changed] ?? '' };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function measure(part: Part): Promise<Measured> {
  const dir = makeFolder('plumb-bench-apps-');
  const bench = await Bench.start(dir);
  try {
    const bare = await residentMb(bench.pid);
    const cold = await bench.push(filesOf(part));
    const changes: Cost[] = [];
    for (let round = 0; round < options.changes; round++) {
      await bench.settle();
      changes.push(await bench.push(change(part, round)));
    }
    const of = (key: keyof Cost): number => median(changes.map((cost) => cost[key]));
    const floorSeconds = await floor(part, bench.repo);
    const rssMb = await residentMb(bench.pid);
    const count = part === 'objects' ? options.objects : options.apps * 5;
    return {
      part,
      cold: rounded(cold),
      changed: rounded({ seconds: of('seconds'), cpu: of('cpu'), programs: of('programs') }),
      floorSeconds: Number(floorSeconds.toFixed(2)),
      ratio: Number((cold.seconds / floorSeconds).toFixed(2)),
      objects: count,
      rssMb: Math.round(rssMb),
      peakMb: Math.round(await peakMb(bench.pid)),
      bytesPerObject: Math.round(((rssMb - bare) * 2 ** 20) / count),
    };
  } finally {
    await bench.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function rounded({ seconds, cpu, programs }: Cost): Cost {
  const two = (value: number): number => Number(value.toFixed(2));
  return { seconds: two(seconds), cpu: two(cpu), programs: two(programs) };
}

const measured: Measured[] = [];
for (const part of APPLIED.filter((name) => options.part.includes(name))) {
  const one = await measure(part);
  measured.push(one);
  const words = (cost: Cost): string =>
    `${cost.seconds.toFixed(2)} s (own cpu ${cost.cpu.toFixed(2)} s, programs ${cost.programs.toFixed(2)} s)`;
  process.stdout.write(
    [
      `${part}: ${one.objects} objects${part === 'objects' ? '' : ` of ${options.apps} Apps`}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`,
      `  cold, from the commit to applied      ${words(one.cold)}`,
      `  one changed, median of ${options.changes}              ${words(one.changed)}`,
      `  floor                                 ${one.floorSeconds.toFixed(2)} s, ratio ${one.ratio}`,
      `  memory of the control plane           ${one.rssMb} MB, at most ${one.peakMb} MB; ${one.bytesPerObject} bytes an object`,
      `${JSON.stringify({ bench: 'apps', cores: cpus().length, ...one })}\n`,
    ].join('\n'),
  );
}
const fetched = options.part.includes('git') ? await measureFetching(options.objects, options.changes) : undefined;
if (fetched)
  for (const what of ['clone', 'fetch'] as const) {
    const { seconds, nativeSeconds, ratio } = fetched[what];
    process.stdout.write(`git ${what}: ${seconds} s, the native one ${nativeSeconds} s, ratio ${ratio}\n`);
  }
process.stdout.write(
  `${JSON.stringify({ bench: 'apps', apps: options.apps, cores: cpus().length, load: loadavg()[0], parts: [...measured, ...(fetched ? [fetched] : [])] })}\n`,
);

/**
 * `npm run bench:redis`: how many commands Redis gets for what a cluster does, by its own count: while nothing changes,
 * for a Deployment's new image, for many new pods. Real are the control plane, its private Redis, BullMQ, Git and the
 * agents' protocol; agents are simulated, as in bench:scale.
 *
 * The floor: what must be written of a pod (that it is, where, that it runs), by the store alone in a Redis of the same
 * kind, as many pods in one script as a script takes.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { commandLine } from '../test/support/command-line.ts';
import { makeFolder } from '../test/support/folder.ts';
import { callsBetween, callsOf, jobsOf, roundTrips, total, type Calls } from './redis/commands.ts';
import { floorFor } from './redis/floor.ts';
import { CLUSTER, deployment, machines } from './scale/manifests.ts';
import { fleetSocket } from './scale/names.ts';
import { Observer } from './scale/observer.ts';
import { Child } from './scale/processes.ts';

const PARTS = ['idle', 'rollout', 'create'] as const;
type Part = (typeof PARTS)[number];
/** Of a Deployment that gets a new image. */
const ROLLED = 10;
const LIMIT_MS = 120_000;
const LOOK_MS = 20;
/** Commands in a second while nothing goes on any more: what watches and waits. */
const QUIET = 300;
const run = promisify(execFile);

const options = commandLine('bench:redis', {
  nodes: { takes: 'number', default: 20, least: 1, says: 'simulated nodes' },
  pods: { takes: 'number', default: 1000, least: 1, says: 'pods that are created' },
  idle: { takes: 'number', default: 60, least: 1, says: 'seconds that idle lasts' },
  part: { takes: 'names', of: PARTS, says: 'what to measure' },
});

interface Measured {
  readonly part: Part;
  readonly seconds: number;
  /** Pods that were made. */
  readonly pods: number;
  readonly calls: Calls;
  /** By queue. */
  readonly jobs: ReadonlyMap<string, number>;
  readonly floor: Calls;
}

class Bench {
  readonly #dir: string;
  readonly #controlPlane: Child;
  readonly #fleet: Child;
  readonly #redis: Redis;
  readonly #observer: Observer;

  private constructor(dir: string, controlPlane: Child, fleet: Child, redis: Redis, observer: Observer) {
    this.#dir = dir;
    this.#controlPlane = controlPlane;
    this.#fleet = fleet;
    this.#redis = redis;
    this.#observer = observer;
  }

  static async start(dir: string): Promise<Bench> {
    const [repo, home] = [join(dir, 'repo'), join(dir, 'home')];
    await mkdir(repo);
    await run('git', ['init', '-q', '-b', 'main', repo]);
    await push(repo, { 'plumbline.yaml': CLUSTER, 'machines.yaml': machines(0, options.nodes, () => 1) });
    const fleet = await Child.start('fleet.ts', [fleetSocket(dir, 1), '0', String(options.nodes)]);
    const controlPlane = await Child.start('control-plane.ts', [home, repo, dir]);
    const connection = { path: join(home, 'redis.sock') };
    const observer = await Observer.open(connection, await readFile(join(home, 'seal.key')));
    const bench = new Bench(dir, controlPlane, fleet, new Redis(connection), observer);
    await bench.#until(() => observer.readyNodes === options.nodes, 'all nodes are Ready');
    await bench.#push('web', ROLLED, 'app:v1');
    return bench;
  }

  async run(part: Part): Promise<Measured> {
    await this.#settle();
    const [before, jobsBefore] = [await callsOf(this.#redis), await jobsOf(this.#redis)];
    const began = performance.now();
    const pods = await this.#work(part);
    const seconds = Number(((performance.now() - began) / 1000).toFixed(1));
    if (part !== 'idle') await this.#settle();
    const calls = callsBetween(before, await callsOf(this.#redis));
    const jobs = callsBetween(jobsBefore, await jobsOf(this.#redis));
    return { part, seconds, pods, calls, jobs, floor: await floorFor(pods) };
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#observer.close();
    await this.#controlPlane.end(30_000);
    await this.#fleet.end(5000);
  }

  /** Answers how many pods it made. */
  async #work(part: Part): Promise<number> {
    switch (part) {
      case 'idle':
        await new Promise((resolve) => setTimeout(resolve, options.idle * 1000));
        return 0;
      case 'rollout':
        await this.#push('web', ROLLED, 'app:v2');
        return ROLLED;
      case 'create':
        await this.#push('many', options.pods, 'app:v1');
        return options.pods;
    }
  }

  async #push(name: string, pods: number, image: string): Promise<void> {
    await push(join(this.#dir, 'repo'), { [`${name}.yaml`]: deployment(name, pods, image) });
    const isDone = (): boolean => {
      const there = this.#observer.pods(name);
      const isNew = there.every(({ spec }) => spec.containers[0]?.image === image);
      return there.length === pods && isNew && this.#observer.ready(name) === pods;
    };
    await this.#until(isDone, `${name} has ${pods} ready pods with ${image}`);
  }

  /** Until a second passes in which little is asked of Redis: what a part left behind is not the next one's. */
  async #settle(): Promise<void> {
    for (let before = await callsOf(this.#redis); ;) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const now = await callsOf(this.#redis);
      if (total(callsBetween(before, now)) < QUIET) return;
      before = now;
    }
  }

  async #until(isDone: () => boolean, what: string): Promise<void> {
    const end = performance.now() + LIMIT_MS;
    while (!isDone()) {
      if (performance.now() > end || !this.#controlPlane.running)
        throw new Error(`it did not come that far: ${what}${this.#observer.refusal()}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

async function push(repo: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(repo, name), text);
  const git = ['-C', repo, '-c', 'user.name=bench', '-c', 'user.email=bench@example.org'];
  await run('git', [...git, 'add', '-A']);
  await run('git', [...git, 'commit', '-q', '-m', 'Push']);
}

function words({ part, seconds, pods, calls, jobs, floor }: Measured): string {
  const each = (count: number): string => (pods > 0 ? (count / pods).toFixed(1) : (count / seconds).toFixed(1));
  const unit = pods > 0 ? 'per pod' : 'per second';
  const list = (of: ReadonlyMap<string, number>): string =>
    [...of].map(([name, count]) => `${name} ${each(count)}`).join(', ');
  const ratio =
    pods > 0 ? `, ${(total(calls) / total(floor)).toFixed(1)} times the floor of ${each(total(floor))}` : '';
  return `${part}${pods > 0 ? ` of ${pods} pods` : ''}, ${seconds} s: ${total(calls)} commands, ${each(total(calls))} ${unit}${ratio}
  of these, round trips: ${roundTrips(calls)}, ${each(roundTrips(calls))} ${unit}
  ${unit}: ${list(calls)}
  jobs ${unit}: ${each(total(jobs))} (${list(jobs)})
`;
}

const dir = makeFolder('bench-redis-');
const load = loadavg()[0];
process.stdout.write(`${options.nodes} nodes; ${cpus().length} cores, load ${load}; Node.js ${process.version}\n`);
const bench = await Bench.start(dir);
try {
  for (const part of PARTS.filter((one) => options.part.includes(one))) {
    const result = await bench.run(part);
    const { pods, seconds, calls, jobs, floor } = result;
    process.stdout.write(words(result));
    process.stdout.write(
      `${JSON.stringify({
        bench: 'redis',
        part,
        nodes: options.nodes,
        cores: cpus().length,
        pods,
        seconds,
        commands: total(calls),
        roundTrips: roundTrips(calls),
        ...(pods > 0 && { floor: total(floor), ratio: Number((total(calls) / total(floor)).toFixed(2)) }),
        calls: Object.fromEntries(calls),
        jobs: Object.fromEntries(jobs),
      })}\n`,
    );
  }
} finally {
  await bench.close();
  await rm(dir, { recursive: true, force: true });
}

/**
 * `npm run bench:scale`: the whole control plane with thousands of nodes. Real are the control plane (a process of its
 * own, started as `plumb up` starts it), its private Redis, BullMQ, Git, the agents' protocol and HTTP. SSH is not: each
 * node is a Unix socket. The agents are simulated in processes whose time is not counted: they keep their pods, report
 * them as the real one does, beat, and say which rules are in force. A third process watches the store.
 *
 * `--help` says what else it takes. join and fill always run, as the ground for the other parts.
 *
 * Joining is over when all nodes are Ready; that all hold all other nodes' routes takes until `idle` begins.
 *
 * What it says of a part: seconds until it converged (or how far it came), processor time of control plane and Redis,
 * their resident memory, the event loop's delay and its rounds of much work, Redis' commands, writes to the store, bytes of assignments and inventories.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { storeKeys } from '../reconciler/adapters/redis/keys.ts';
import { commandLine } from '../test/support/command-line.ts';
import { makeFolder } from '../test/support/folder.ts';
import type { FleetOrder } from './scale/fleet.ts';
import { CLUSTER, deployment, machines, service } from './scale/manifests.ts';
import { fleetStats, measure, pause, type Measured, type Subjects } from './scale/measure.ts';
import { CLUSTER_NAME, fleetSocket, nameOf } from './scale/names.ts';
import { Observer } from './scale/observer.ts';
import { Child } from './scale/processes.ts';

const FLEETS = 2;
const PARTS = ['join', 'fill', 'idle', 'push', 'rollout', 'flip', 'loss', 'recovery'] as const;
type Part = (typeof PARTS)[number];
const PUSHED = 5000;
const ROLLED = 1000;
const LOST = 500;
/** Of one Deployment that fills the nodes. */
const FILLING = 500;
/** Writes and assignments within two seconds: nothing goes on any more. */
const QUIET = 5;
const MACHINES_PER_FILE = 100;
const run = promisify(execFile);

const options = commandLine('bench:scale', {
  nodes: { takes: 'number', default: 100, least: 1, says: 'simulated nodes' },
  'pods-per-node': { takes: 'number', default: 30, least: 0, fraction: true, says: 'pods of each before the parts' },
  part: { takes: 'names', of: PARTS, says: 'what to measure' },
  limit: { takes: 'number', default: 180, least: 1, says: 'seconds for each part' },
  idle: { takes: 'number', default: 30, least: 1, says: 'seconds that idle lasts' },
  json: { takes: 'nothing', says: 'the lines of JSON alone' },
  profile: {
    takes: 'path',
    says: 'a folder for a CPU profile of the control plane, and when its event loop was held up',
  },
});
const { nodes } = options;
const limitMs = options.limit * 1000;
const idleMs = options.idle * 1000;
const filled = Math.round(nodes * options['pods-per-node']);
const rolled = Math.min(ROLLED, nodes * 10);
const pushed = Math.min(PUSHED, nodes * 40);

class Bench {
  readonly #repo: string;
  readonly #home: string;
  readonly #files = new Map<string, string>();
  readonly #subjects: Subjects;
  #web: string | undefined;
  /** Pods that should be ready. */
  #pods = 0;
  #lost = 0;

  private constructor(dir: string, subjects: Subjects) {
    this.#repo = join(dir, 'repo');
    this.#home = join(dir, 'home');
    this.#subjects = subjects;
  }

  static async start(dir: string): Promise<Bench> {
    const [repo, home] = [join(dir, 'repo'), join(dir, 'home')];
    await mkdir(repo);
    await run('git', ['init', '-q', '-b', 'main', repo]);
    await writeFile(join(repo, 'plumbline.yaml'), CLUSTER);
    await commit(repo);
    const each = Math.ceil(nodes / FLEETS);
    const fleets = await Promise.all(
      Array.from({ length: FLEETS }, (_, i) =>
        Child.start('fleet.ts', [fleetSocket(dir, i + 1), String(i * each), String(Math.min(each, nodes - i * each))]),
      ),
    );
    const profiling = options.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', options.profile];
    const longRounds = options.profile === undefined ? [] : [join(options.profile, 'long-rounds.json')];
    const controlPlane = await Child.start(
      'control-plane.ts',
      [home, repo, dir, ...longRounds],
      ['--expose-gc', ...profiling],
    );
    const connection = { path: join(home, 'redis.sock') };
    const observer = await Observer.open(connection, await readFile(join(home, 'seal.key')));
    return new Bench(dir, { controlPlane, fleets, redis: new Redis(connection), observer });
  }

  async run(part: Part): Promise<Measured> {
    switch (part) {
      case 'join':
        return this.#join();
      case 'fill':
        return this.#fill();
      case 'idle':
        return this.#idle();
      case 'push':
        return this.#push();
      case 'rollout':
        return this.#rollout();
      case 'flip':
        return this.#flip();
      case 'loss':
        return this.#loss();
      case 'recovery':
        return this.#recovery();
    }
  }

  async close(): Promise<void> {
    const { controlPlane, fleets, redis, observer } = this.#subjects;
    redis.disconnect();
    await observer.close();
    await controlPlane.end(30_000);
    await Promise.all(fleets.map((fleet) => fleet.end(5000)));
  }

  async #join(): Promise<Measured> {
    const each = Math.ceil(nodes / FLEETS);
    for (let first = 0; first < nodes; first += MACHINES_PER_FILE)
      this.#files.set(
        `machines/${first}.yaml`,
        machines(first, Math.min(MACHINES_PER_FILE, nodes - first), (index) => Math.floor(index / each) + 1),
      );
    return this.#measure(
      'join',
      () => this.#pushFiles(),
      () => this.#observer.readyNodes === nodes,
      () => `${this.#observer.readyNodes} of ${nodes} nodes Ready${this.#observer.refusal()}`,
    );
  }

  async #fill(): Promise<Measured> {
    for (let first = 0; first < filled; first += FILLING)
      this.#files.set(`fill/${first}.yaml`, deployment(`fill-${first}`, Math.min(FILLING, filled - first)));
    this.#pods += filled;
    return this.#untilAllReady('fill', () => this.#pushFiles());
  }

  async #idle(): Promise<Measured> {
    await this.#settle();
    const end = performance.now() + idleMs;
    return this.#measure(
      'idle',
      async () => undefined,
      () => performance.now() >= end,
      () => `${this.#observer.readyNodes} nodes and ${this.#observer.readyPods} pods ready`,
    );
  }

  async #push(): Promise<Measured> {
    await this.#settle();
    this.#files.set('push.yaml', deployment('push', pushed));
    this.#pods += pushed;
    return this.#untilAllReady('push', () => this.#pushFiles());
  }

  async #rollout(): Promise<Measured> {
    await this.#needWeb();
    await this.#settle();
    this.#web = 'app:v2';
    this.#files.set('web.yaml', deployment('web', rolled, this.#web));
    const isNew = (): number =>
      this.#observer.pods('web').filter(({ spec }) => spec.containers[0]?.image === this.#web).length;
    return this.#measure(
      'rollout',
      () => this.#pushFiles(),
      () =>
        this.#observer.ready('web') === rolled && this.#observer.pods('web').length === rolled && isNew() === rolled,
      () => `${isNew()} of ${rolled} pods are new, ${this.#observer.ready('web')} are ready`,
    );
  }

  /** One pod of a Service is not ready any more: until every node was told. */
  async #flip(): Promise<Measured> {
    await this.#needWeb();
    await this.#settle();
    await this.#order({ do: 'forget-slices' });
    const pod = this.#observer.pods('web')[0];
    if (!pod) throw new Error('there is no pod to flip');
    let told = 0;
    return this.#measure(
      'flip',
      () => this.#order({ do: 'ready', node: pod.spec.nodeName ?? '', uid: pod.metadata.uid, ready: false }),
      async () => (told = (await fleetStats(this.#subjects.fleets)).slices) >= nodes - this.#lost,
      () => `${told} of ${nodes - this.#lost} nodes were told`,
    );
  }

  /** Nodes fall silent: until all are seen to be. */
  async #loss(): Promise<Measured> {
    await this.#settle();
    const lost = Array.from({ length: Math.min(LOST, Math.floor(nodes / 10)) }, (_, i) => nameOf(i * 10));
    this.#lost = lost.length;
    return this.#measure(
      'loss',
      () => this.#order({ do: 'silence', nodes: lost }),
      () => this.#observer.unknownNodes === lost.length,
      () => `${this.#observer.unknownNodes} of ${lost.length} silent nodes are Unknown`,
    );
  }

  /** Redis is emptied: until every node and pod is ready in the new store. */
  async #recovery(): Promise<Measured> {
    await this.#settle();
    const before = this.#observer.readyPods;
    const alive = nodes - this.#lost;
    const marked = (): number => this.#observer.marked;
    return this.#measure(
      'recovery',
      async () => {
        await this.#subjects.redis.flushall();
        await this.#observer.close();
        const end = performance.now() + limitMs;
        // Rebuilt by the control plane, not by who watches.
        while (this.#subjects.controlPlane.running && !(await this.#isRebuilt())) {
          if (performance.now() > end) throw new Error(`the store was not rebuilt within ${options.limit} s`);
          await pause(50);
        }
        this.#subjects.observer = await this.#observe();
      },
      () => this.#observer.readyNodes >= alive && this.#observer.readyPods >= before,
      () =>
        `${this.#observer.readyNodes} of ${alive} nodes and ${this.#observer.readyPods} of ${before} pods are ready, ${marked()} pods were marked`,
    );
  }

  get #observer(): Observer {
    return this.#subjects.observer;
  }

  async #observe(): Promise<Observer> {
    return Observer.open({ path: join(this.#home, 'redis.sock') }, await readFile(join(this.#home, 'seal.key')));
  }

  async #isRebuilt(): Promise<boolean> {
    return (await this.#subjects.redis.hget(storeKeys(CLUSTER_NAME).meta, 'ready')) === '1';
  }

  async #needWeb(): Promise<void> {
    if (this.#web !== undefined) return;
    this.#web = 'app:v1';
    this.#files.set('web.yaml', deployment('web', rolled)).set('web-service.yaml', service('web'));
    this.#pods += rolled;
    await this.#pushFiles();
    const end = performance.now() + limitMs;
    while (this.#observer.ready('web') < rolled && performance.now() < end) await pause(100);
  }

  async #untilAllReady(part: Part, work: () => Promise<void>): Promise<Measured> {
    return this.#measure(
      part,
      work,
      () => this.#observer.readyPods >= this.#pods,
      () => `${this.#observer.readyPods} of ${this.#pods} pods ready`,
    );
  }

  /** Until two seconds pass in which next to nothing is written or sent: what a part left behind is not the next one's. */
  async #settle(): Promise<void> {
    const end = performance.now() + limitMs;
    let before = -Infinity;
    while (performance.now() < end) {
      const now = this.#observer.allWrites() + (await fleetStats(this.#subjects.fleets)).assignments;
      if (now - before <= QUIET) return;
      before = now;
      await pause(2000);
    }
  }

  #measure(
    part: Part,
    work: () => Promise<void>,
    done: () => boolean | Promise<boolean>,
    reached: () => string,
  ): Promise<Measured> {
    return measure(part, this.#subjects, limitMs, work, done, reached);
  }

  async #order(order: FleetOrder): Promise<void> {
    await Promise.all(this.#subjects.fleets.map((fleet) => fleet.ask(order)));
  }

  async #pushFiles(): Promise<void> {
    for (const [name, text] of this.#files) {
      await mkdir(join(this.#repo, name, '..'), { recursive: true });
      await writeFile(join(this.#repo, name), text);
    }
    this.#files.clear();
    await commit(this.#repo);
  }
}

async function commit(repo: string): Promise<void> {
  const git = ['-C', repo, '-c', 'user.name=bench', '-c', 'user.email=bench@example.org'];
  await run('git', [...git, 'add', '-A']);
  await run('git', [...git, 'commit', '-q', '-m', 'Push']);
}

function words(m: Measured): string {
  const kinds = Object.entries(m.writesByKind)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([kind, writes]) => `${kind} ${writes}`);
  return `${m.part}: ${m.converged ? 'done' : 'NOT DONE'} after ${m.seconds} s: ${m.reached}
  control plane ${m.cpu} CPU s (${(m.cpu / m.seconds).toFixed(2)} cores), ${m.rssMb} MB, of which it holds ${m.heldMb}; event loop p99 ${m.loopP99Ms} ms, max ${m.loopMaxMs} ms; ${m.longRounds} rounds of more than 50 ms of work, the longest ${m.longestRoundMs} ms
  Redis ${m.redisCpu} CPU s, ${m.redisCommandsPerSecond} commands/s, ${m.redisUsedMb} MB used, ${m.redisRssMb} MB resident
  ${m.writes} writes (${kinds.join(', ')}); ${m.pushes} assignments of ${m.toAgentsMb} MB to agents, inventories of ${m.fromAgentsMb} MB from them
`;
}

if (options.profile !== undefined) await mkdir(options.profile, { recursive: true });
const dir = makeFolder('scale-');
const load = loadavg()[0];
if (!options.json)
  process.stdout.write(
    `${nodes} nodes, ${filled} pods before the parts; ${cpus().length} cores, load ${load}; Node.js ${process.version}\n`,
  );
const bench = await Bench.start(dir);
const measured: Measured[] = [];
try {
  const ground: readonly Part[] = filled > 0 ? ['join', 'fill'] : ['join'];
  for (const part of PARTS.filter((one) => ground.includes(one) || (one !== 'fill' && options.part.includes(one)))) {
    const result = await bench.run(part);
    measured.push(result);
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : words(result));
    // Without its nodes there is nothing to measure.
    if (part === 'join' && !result.converged) break;
  }
} finally {
  await bench.close();
  await rm(dir, { recursive: true, force: true });
}
process.stdout.write(
  `${JSON.stringify({ bench: 'scale', nodes, pods: filled, cores: cpus().length, load, parts: measured })}\n`,
);

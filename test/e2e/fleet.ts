/**
 * A whole Plumbline for one test file: a lab, a bare repository with hooks, a checkout to push from, and a control
 * plane as a child process. Everything is reached as a user would: Git, the CLI, the API socket, HTTP to the Services.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AGENT_API, AgentInfo, NODE_PATHS, type InventoryLine, type PodReport } from '../../contracts/agent/index.ts';
import { KINDS, type Kind, type StoredOf } from '../../contracts/objects/index.ts';
import {
  labExec,
  labHeal,
  labPartition,
  labPowerOff,
  labPowerOn,
  labStatus,
  labUp,
  machineManifests,
  type LabInfo,
  type LabNode,
} from '../../lab/index.ts';
import { buildCli, PLUMB } from '../support/built-cli.ts';
import { interrupted, whenInterrupted } from '../support/interruption.ts';
import { ownLab, type OwnLab } from '../support/lab.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { tied } from '../support/tied.ts';
import { eventually, getText } from './ask.ts';
import { Plane } from './plane.ts';

export { eventually } from './ask.ts';

export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LoadResult {
  readonly sent: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: readonly { readonly startedAt: string; readonly at: string; readonly failure: string }[];
}

export interface FleetOptions {
  /**
   * Also the lab's name: prefix of its namespaces and bridge. At most 8 characters. Belongs to one process of the
   * machine at a time.
   */
  readonly name: string;
  /** A /24 inside 198.18.0.0/15. */
  readonly subnet: string;
  readonly podCIDR: string;
  readonly serviceCIDR: string;
  readonly nodes: number;
  /** More lines of the Cluster's `spec.network`. */
  readonly network?: readonly string[];
  /** Of the cluster's names, in place of `cluster.local`. */
  readonly domain?: string;
  /** Runs beside a control plane, before it is waited for that nodes are Ready: what makes them so. */
  readonly prepare?: (fleet: Fleet) => Promise<void>;
  /** That share one Redis. Default: one, with a private Redis. */
  readonly controlPlanes?: number;
}

/** Runs a command to its end; never rejects for its exit code. */
export function run(
  argv: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; stdin?: string } = {},
): Promise<CommandOutput> {
  const [file, ...args] = tied(...argv);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 128, stdout, stderr }));
    child.stdin.on('error', () => undefined).end(options.stdin ?? '');
  });
}

export class Fleet {
  readonly dir: string;
  readonly home: string;
  readonly repo: string;
  readonly checkout: string;
  readonly options: FleetOptions;
  lab!: LabInfo;
  private readonly ownLab: OwnLab;
  private readonly forget: () => void;
  private building: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;
  /** The first one is what most tests know as the control plane. */
  planes: readonly Plane[] = [];
  private sharedRedis: TestRedis | undefined;

  private constructor(options: FleetOptions, lab: OwnLab) {
    this.options = options;
    this.ownLab = lab;
    this.dir = path.dirname(lab.dir);
    this.home = path.join(this.dir, 'home');
    this.repo = path.join(this.dir, 'fleet.git');
    this.checkout = path.join(this.dir, 'fleet');
    this.forget = whenInterrupted(`the fleet in ${this.dir}`, () => this.close());
  }

  /**
   * Lab, repository, first commit (cluster and machines) and control plane; returns when every node is Ready. What a
   * killed run left of a fleet of this name is taken down first. When this process is interrupted, the fleet closes by
   * itself.
   */
  static async start(options: FleetOptions): Promise<Fleet> {
    buildCli();
    const fleet = new Fleet(options, await ownLab({ name: options.name, dir: `/tmp/plumb-e2e-${options.name}/lab` }));
    fleet.building = fleet.build();
    try {
      await fleet.building;
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  private get labDir(): string {
    return this.ownLab.dir;
  }

  private async build(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
    await mkdir(this.dir, { mode: 0o700 });
    this.lab = await labUp({
      name: this.options.name,
      subnet: this.options.subnet,
      nodes: this.options.nodes,
      dir: this.labDir,
      signal: interrupted,
    });
    await this.must(['init', '--bare', this.repo]);
    await this.makePlanes(this.options.controlPlanes ?? 1);
    await this.git(['clone', '--quiet', this.repo, this.checkout], this.dir);
    await this.git(['checkout', '-q', '-B', 'main']);
    await this.write('plumbline.yaml', this.clusterManifest());
    for (const manifest of machineManifests(this.lab)) await this.write(manifest.path, manifest.text);
    await this.commitAndPush('Describe the cluster');
    await this.startControlPlane();
    await this.options.prepare?.(this);
    await this.nodesReady(this.lab.nodes.map((n) => n.name));
  }

  private async makePlanes(count: number): Promise<void> {
    if (count > 1) this.sharedRedis = await startTestRedis();
    this.planes = Array.from({ length: count }, (_, index) => {
      const suffix = index === 0 ? '' : `-${index + 1}`;
      return new Plane({
        home: this.home + suffix,
        log: path.join(this.dir, `control-plane${suffix}.log`),
        repo: this.repo,
        sshKey: () => this.lab.sshKeyPath,
        ...(this.sharedRedis && { redis: `unix://${this.sharedRedis.connection.path ?? ''}` }),
      });
    });
  }

  private clusterManifest(): string {
    const { podCIDR, serviceCIDR, network = [], domain } = this.options;
    return [
      'apiVersion: plumbline.dev/v1alpha1',
      'kind: Cluster',
      'metadata:',
      '  name: e2e',
      'spec:',
      '  network:',
      `    podCIDR: ${podCIDR}`,
      `    serviceCIDR: ${serviceCIDR}`,
      ...network.map((line) => `    ${line}`),
      ...(domain === undefined ? [] : [`  dns: {domain: ${domain}}`]),
      '  nodes:',
      '    monitorGracePeriodSeconds: 8',
      '',
    ].join('\n');
  }

  async nodesReady(names: readonly string[], seconds = 90): Promise<void> {
    await eventually(`nodes ${names.join(', ')} Ready`, seconds, async () => {
      const nodes = await this.list('Node');
      return names.every((name) =>
        nodes.some(
          (n) =>
            n.metadata.name === name && n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
        ),
      );
    });
  }

  // ---- Git, as a user has it

  async git(args: readonly string[], cwd = this.checkout): Promise<CommandOutput> {
    const output = await run(['git', '-c', 'user.name=Test', '-c', 'user.email=test@example.org', ...args], { cwd });
    if (output.code !== 0) throw new Error(`git ${args.join(' ')}: ${output.stderr}`);
    return output;
  }

  async write(file: string, text: string): Promise<void> {
    const full = path.join(this.checkout, file);
    await mkdir(path.dirname(full), { recursive: true });
    await writeFile(full, text);
  }

  /** Commits everything in the checkout and pushes. The output holds the hook's words; the code is git's. */
  async commit(message: string): Promise<void> {
    await this.git(['add', '-A']);
    await this.git(['commit', '-q', '-m', message]);
  }

  async push(...args: readonly string[]): Promise<CommandOutput> {
    return run(['git', 'push', ...(args.length > 0 ? args : ['origin', 'HEAD:main'])], { cwd: this.checkout });
  }

  async commitAndPush(message: string): Promise<CommandOutput> {
    await this.commit(message);
    const pushed = await this.push();
    if (pushed.code !== 0) throw new Error(`push refused:\n${pushed.stderr}`);
    return pushed;
  }

  /** Removes files, commits and pushes; the commit acknowledges whatever goes with them. */
  async removeFiles(...files: readonly string[]): Promise<void> {
    await this.git(['rm', '-q', '-r', ...files]);
    await this.commitAndPush(`Remove ${files.join(', ')}\n\nPlumbline-Allow-Prune: all`);
  }

  // ---- the control plane

  /** All of them, those that run already left as they are. `env`: as `Plane.start` says. */
  async startControlPlane(env?: NodeJS.ProcessEnv): Promise<void> {
    const [first] = this.planes;
    for (const plane of this.planes) {
      if (plane.isRunning) continue;
      await this.shareKey(first?.home, plane.home);
      await plane.start(env);
    }
  }

  /** Who shares a Redis shares the key that its content is sealed with, and the one that tokens are signed with. */
  private async shareKey(from: string | undefined, to: string): Promise<void> {
    if (from === undefined || from === to) return;
    await mkdir(to, { recursive: true, mode: 0o700 });
    for (const key of ['seal.key', 'service-account.key']) await copyFile(path.join(from, key), path.join(to, key));
  }

  async controlPlaneLog(): Promise<string> {
    return (await Promise.all(this.planes.map((plane) => plane.log()))).join('');
  }

  async stopControlPlane(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all(this.planes.map((plane) => plane.stop(signal)));
  }

  /** Of the first control plane that runs. */
  private get answering(): Plane {
    const plane = this.planes.find(({ isRunning }) => isRunning) ?? this.planes[0];
    if (!plane) throw new Error('there is no control plane');
    return plane;
  }

  get(apiPath: string): Promise<unknown> {
    return this.answering.get(apiPath);
  }

  async list<K extends Kind>(kind: K, namespace?: string): Promise<readonly StoredOf<K>[]> {
    const { apiVersion, plural } = KINDS[kind];
    const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const list = (await this.get(`${base}/${namespace ? `namespaces/${namespace}/` : ''}${plural}`)) as {
      items: StoredOf<K>[];
    };
    return list.items;
  }

  /** Pods with the label app=`app`. */
  async pods(app: string): Promise<readonly StoredOf<'Pod'>[]> {
    return (await this.list('Pod')).filter((pod) => pod.metadata.labels?.['app'] === app);
  }

  /** The app's pods once there are exactly `count`, all Ready, none terminating, all of `image` when given. */
  async podsReady(
    app: string,
    count: number,
    options: { image?: string; seconds?: number } = {},
  ): Promise<readonly StoredOf<'Pod'>[]> {
    return eventually(`${count} pods of ${app} Ready`, options.seconds ?? 60, async () => {
      const pods = await this.pods(app);
      const good = pods.filter(
        (pod) =>
          !pod.metadata.deletionTimestamp &&
          pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') &&
          (options.image === undefined || pod.spec.containers[0]?.image === options.image),
      );
      return good.length === count && pods.length === count && good;
    });
  }

  async clusterIP(service: string): Promise<string> {
    return eventually(`Service ${service} has an address`, 60, async () => {
      const found = (await this.list('Service')).find((s) => s.metadata.name === service);
      return found?.spec.clusterIP;
    });
  }

  /** Unix socket of the Redis: the control plane's private one, or the one that several share. */
  get redisSocket(): string {
    return this.sharedRedis?.connection.path ?? path.join(this.home, 'redis.sock');
  }

  /** With the home of the first control plane that runs. */
  plumb(...args: readonly string[]): Promise<CommandOutput> {
    return this.plumbAt(this.answering, ...args);
  }

  plumbAt(plane: Plane, ...args: readonly string[]): Promise<CommandOutput> {
    return run([process.execPath, PLUMB, ...args], { cwd: this.checkout, env: { PLUMB_HOME: plane.home } });
  }

  private async must(args: readonly string[]): Promise<CommandOutput> {
    const output = await run([process.execPath, PLUMB, ...args], { env: { PLUMB_HOME: this.home } });
    if (output.code !== 0) throw new Error(`plumb ${args.join(' ')}: ${output.stderr}`);
    return output;
  }

  // ---- on the hosts

  private async host(node: string): Promise<LabNode & { readonly pid: number }> {
    const found = (await labStatus({ dir: this.labDir })).nodes.find((n) => n.name === node);
    if (found?.pid === undefined) throw new Error(`${node} is not running`);
    return { ...found, pid: found.pid };
  }

  /** Process id, as the machine sees it, of a host's PID 1. */
  async initPid(node: string): Promise<number> {
    return (await this.host(node)).pid;
  }

  powerOff(node: string): Promise<void> {
    return labPowerOff({ dir: this.labDir, node });
  }

  powerOn(node: string): Promise<void> {
    return labPowerOn({ dir: this.labDir, node, signal: interrupted });
  }

  partition(node: string): Promise<void> {
    return labPartition({ dir: this.labDir, node });
  }

  heal(node: string): Promise<void> {
    return labHeal({ dir: this.labDir, node });
  }

  /** Runs a command inside a host of the lab. */
  on(node: string, argv: readonly string[]): Promise<CommandOutput> {
    return labExec({ dir: this.labDir, node, argv });
  }

  /** What an HTTP GET from a host's network answers; undefined when nothing answered in 2 s. */
  async httpFrom(node: string, url: string): Promise<string | undefined> {
    const output = await run([
      'nsenter',
      `--net=/proc/${await this.initPid(node)}/ns/net`,
      process.execPath,
      path.join(import.meta.dirname, 'get.mjs'),
      url,
    ]);
    return output.code === 0 ? output.stdout : undefined;
  }

  /** What the node's own agent is, asked on the node's socket, without the control plane. */
  async agent(node: string): Promise<AgentInfo> {
    return AgentInfo.parse(JSON.parse(await this.askAgent(node, '/info')));
  }

  /** The pods that the node's own agent tells of. */
  async podsOn(node: string): Promise<readonly PodReport[]> {
    const lines = (await this.askAgent(node, '/inventory/lines')).trimEnd().split('\n');
    return lines.flatMap((text) => {
      const line = JSON.parse(text) as InventoryLine;
      return 'pod' in line ? [line.pod] : [];
    });
  }

  private async askAgent(node: string, requestPath: string): Promise<string> {
    const host = await this.host(node);
    return getText(`/proc/${host.pid}/root${NODE_PATHS.socket}`, AGENT_API + requestPath);
  }

  /** Steady load from a host's network until `stop` is called. */
  async load(node: string, url: string, ratePerSecond: number): Promise<{ stop(): Promise<LoadResult> }> {
    const host = await this.host(node);
    const [program, ...args] = tied(
      'nsenter',
      `--net=/proc/${host.pid}/ns/net`,
      process.execPath,
      path.join(import.meta.dirname, 'load.mjs'),
      url,
      String(ratePerSecond),
    );
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    return {
      async stop() {
        child.stdin.end();
        const line: IteratorResult<string, undefined> = await lines.next();
        return JSON.parse(line.value ?? '') as LoadResult;
      },
    };
  }

  /** Ends everything that was started and removes it. Safe to repeat. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    await this.building.catch(() => undefined);
    await this.stopControlPlane();
    await this.sharedRedis?.close();
    await this.ownLab.close();
    if (process.env['PLUMB_E2E_KEEP'] === undefined) await rm(this.dir, { recursive: true, force: true });
    this.forget();
  }
}

/** An agent behind a memory machine: keeps what it is sent, says what a test tells it to say. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import {
  AGENT_API,
  ALIKE_KINDS,
  alikeParts,
  NODE_PATHS,
  type AgentInfo,
  type AssignmentUpdate,
  type InventoryLine,
  type NodeReport,
  type StatusLine,
} from '../../../contracts/agent/index.ts';
import { keyOf, type KubeObject, type ObjectKey } from '../../../contracts/objects/index.ts';
import { alikeLines } from '../../../nodeagent/loops/api/inventory.ts';
import { MemoryMachine } from '../../../reconciler/adapters/memory/node-transport.ts';
import type { AgentPayloads } from '../../../reconciler/ports/agent-payloads.ts';
import { whenOver } from '../../support/patience.ts';

export const PAYLOADS: AgentPayloads = {
  get: async (arch) => ({
    arch,
    bundle: Buffer.alloc(0),
    bundleHash: 'b',
    runtimeHash: 'r',
    runtimePath: '',
    runtime: () => {
      throw new Error('nothing is pushed in this test');
    },
  }),
};

export const NODE_REPORT: NodeReport = {
  internalIP: '198.18.0.5',
  internalIPv6: '2001:db8::7',
  wireguardKey: `${'a'.repeat(42)}A=`,
  hostname: 'n1',
  capacity: { cpu: '2', memory: '4000000000', pods: '110' },
  nodeInfo: {
    machineID: 'm',
    bootID: 'b',
    kernelVersion: '6',
    osImage: 'Debian',
    architecture: 'x64',
    containerRuntimeVersion: 'containerd://1',
    agentVersion: '0',
  },
  ready: true,
  reason: 'KubeletReady',
  message: 'ready',
  networkVersion: null,
  networkError: null,
  memoryPressure: { pressure: false, message: 'the node has memory to spare' },
  diskPressure: { pressure: false, message: 'the node has disk to spare' },
  pidPressure: { pressure: false, message: 'the node has process ids to spare' },
  goneVolumes: ['pvc-1'],
  tendedVolumes: [
    { name: 'pvc-2', is: 'made' },
    { name: 'pvc-3', is: 'failed', message: 'no mount.nfs' },
  ],
  volumeRoom: 1_000_000,
  growingVolumes: [
    { name: 'pvc-2', bytes: 1 },
    { name: 'pvc-3', message: 'no room' },
  ],
  proxy: {
    generation: 3,
    problems: [{ port: 443, message: 'no certificate' }, { message: 'haproxy is not installed' }],
  },
  bgp: {
    sessions: [
      { peer: 'net/a', established: true },
      { peer: 'net/b', established: false, message: 'Connection refused' },
    ],
    problems: [{ peer: 'net/b', message: 'no secret' }, { message: 'no pool' }],
  },
  agentRss: 1,
};

export class FakeAgent {
  readonly machine = new MemoryMachine('ssh-ed25519 AAAA');
  readonly objects = new Map<ObjectKey, KubeObject>();
  readonly updates: AssignmentUpdate[] = [];
  /** Keys that an update took away. */
  readonly lost: ObjectKey[] = [];
  /** Status streams end with their first lines. */
  closeStreams = false;
  /** What a new listener hears first. */
  readonly lines: StatusLine[] = [{ type: 'node', node: NODE_REPORT }];
  version: string | null = null;
  epoch = 0;
  /** Status streams opened so far. */
  streams = 0;
  /** Times that it was asked what it is. */
  asked = 0;
  /** Says what it is when this is over. */
  slow: Promise<void> = Promise.resolve();
  /** Answer to the next assignments instead of taking them. */
  refuse: { readonly status: number; readonly code: string } | undefined;
  /** Tells what all nodes hold alike as digests where it is asked to. */
  digests = true;
  /** What is behind them, for an agent that lies. */
  behind: (() => readonly string[]) | undefined;
  /** Parts that it was asked for. */
  readonly parts: number[] = [];
  /** Hears assignments and never answers. */
  mute = false;
  readonly #listeners = new Set<ServerResponse>();
  readonly #waiting = new Set<() => void>();

  /** Control planes that listen to it now. */
  get listeners(): number {
    return this.#listeners.size;
  }

  constructor() {
    this.machine.programs.set('sh', () => ({
      code: 0,
      stdout: 'machine=x86_64\nuid=0\ninit=systemd\nglibc=yes\ngzip=yes\ncontainerd=yes\n',
      stderr: '',
    }));
    this.listen();
  }

  listen(): void {
    this.machine.sockets.set(
      NODE_PATHS.socket,
      createServer((request, response) => {
        const [path, query] = request.url?.slice(AGENT_API.length).split('?') ?? [];
        if (path === '/status') return this.#status(response);
        if (path === '/info') {
          void this.slow.then(() => response.end(JSON.stringify(this.#info())));
          this.asked += 1;
          return this.#wake();
        }
        if (path === '/inventory/lines')
          return void response.end(
            this.#inventory(this.digests && query === 'alike=digests')
              .map((line) => `${JSON.stringify(line)}\n`)
              .join(''),
          );
        if (path === '/inventory/alike') {
          const parts = query?.slice('parts='.length).split(',').map(Number) ?? [];
          this.parts.push(...parts);
          const lines = this.behind?.() ?? [...alikeLines(alikeParts([...this.objects.values()]), parts)];
          return void response.end(lines.map((line) => `${line}\n`).join(''));
        }
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () =>
          this.#assign(JSON.parse(Buffer.concat(chunks).toString()) as AssignmentUpdate, response),
        );
      }),
    );
  }

  say(...lines: readonly StatusLine[]): void {
    for (const listener of this.#listeners) listener.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** The agent restarts: its streams end. */
  endStreams(): void {
    for (const listener of this.#listeners) listener.end();
  }

  /** Resolves once `look` holds after an update, or when a listener comes or goes; rejects after 10 s. */
  async until(look: () => boolean): Promise<void> {
    let isOver = false;
    const forget = whenOver(10_000, () => {
      isOver = true;
      this.#wake();
    });
    while (!isOver && !look()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    forget();
    assert.ok(!isOver, `not within 10 s: ${String(look)}; the agent has ${[...this.objects.keys()].join(', ')}`);
  }

  #inventory(asDigests: boolean): readonly InventoryLine[] {
    const objects = [...this.objects.values()];
    const alike = [...alikeParts(objects)].map(([part, { digest }]) => [part, digest] as [number, string]);
    const isDigested = ({ kind }: KubeObject): boolean => asDigests && ALIKE_KINDS.some((one) => one === kind);
    const pods = this.lines.flatMap((line) => (line.type === 'pod' ? [{ pod: line.pod }] : []));
    return [
      { info: this.#info() },
      ...(asDigests ? [{ alike }] : []),
      ...objects.filter((object) => !isDigested(object)).map((object) => ({ object })),
      ...pods,
      { end: true },
    ];
  }

  #info(): AgentInfo {
    return {
      agentVersion: '0',
      bundleHash: 'b',
      runtimeHash: 'r',
      pid: 1,
      startedAt: '',
      epoch: this.epoch,
      assignmentVersion: this.version,
    };
  }

  #status(response: ServerResponse): void {
    this.#listeners.add(response);
    this.streams += 1;
    response.on('close', () => {
      this.#listeners.delete(response);
      this.#wake();
    });
    if (this.closeStreams) setImmediate(() => response.end());
    response.write([...this.lines, { type: 'synced' }].map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.#wake();
  }

  #assign(update: AssignmentUpdate, response: ServerResponse): void {
    this.updates.push(update);
    if (this.mute) return this.#wake();
    const refused =
      this.refuse ??
      (update.epoch < this.epoch
        ? { status: 409, code: 'StaleEpoch' }
        : update.from !== null && update.from !== this.version
          ? { status: 409, code: 'VersionMismatch' }
          : undefined);
    if (refused) {
      response.statusCode = refused.status;
      response.end(JSON.stringify({ code: refused.code, message: 'no', version: this.version }));
    } else {
      const before = [...this.objects.keys()];
      if (update.from === null) this.objects.clear();
      for (const key of update.remove) this.objects.delete(key);
      for (const object of update.upsert) this.objects.set(keyOf(object), object);
      this.lost.push(...before.filter((key) => !this.objects.has(key)));
      this.version = update.to;
      this.epoch = update.epoch;
      response.end(JSON.stringify({ version: update.to }));
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

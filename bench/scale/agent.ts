/**
 * A simulated node agent: keeps the pods of its assignment, starts and stops them after a moment, reports them as the
 * real one does. What all nodes hold alike is kept once for the whole fleet (`Shared`).
 */
import type { ServerResponse } from 'node:http';
import type { AgentInfo, NodeReport, StatusLine } from '../../contracts/agent/index.ts';
import type { Pod } from '../../contracts/objects/index.ts';
import type { AssignmentReader, Moves } from './assignment-reader.ts';
import { BUNDLE_HASH, RUNTIME_HASH } from './payloads.ts';

/** From an assignment to the pod's start, from there to Running, from being told to end to the end. */
const PULL_MS = 20;
const START_MS = 200;
const STOP_MS = 100;
/** From an assignment to its rules being in force. */
const RULES_MS = 50;

interface LivePod {
  readonly pod: Pod;
  readonly ip: string;
  readonly startedAt: string;
  phase: 'Pending' | 'Running';
  ready: boolean;
  ending: boolean;
}

/** What the parent asks for, of all agents of a process. */
export interface FleetStats {
  /** Bytes of assignments. */
  bytes: number;
  assignments: number;
  /** Bytes of inventories that were told. */
  told: number;
  running: number;
  /** Agents that were given an EndpointSlice since these were forgotten. */
  slices: number;
}

export class SimulatedAgent {
  readonly name: string;
  readonly #ip: string;
  readonly #stats: FleetStats;
  readonly #reader: AssignmentReader;
  readonly #pods = new Map<string, LivePod>();
  readonly #listeners = new Set<ServerResponse>();
  readonly #startedAt = new Date().toISOString();
  #version: string | null = null;
  #epoch = 0;
  #networkVersion: string | null = null;
  #bringsInForce = false;
  #range = '';
  #nextAddress = 2;
  #hasSlice = false;
  /** Off the network: hears and says nothing. */
  silent = false;

  constructor(name: string, ip: string, reader: AssignmentReader, stats: FleetStats) {
    this.name = name;
    this.#ip = ip;
    this.#reader = reader;
    this.#stats = stats;
  }

  info(): AgentInfo {
    return {
      agentVersion: '0',
      bundleHash: BUNDLE_HASH,
      runtimeHash: RUNTIME_HASH,
      pid: 1,
      startedAt: this.#startedAt,
      epoch: this.#epoch,
      assignmentVersion: this.#version,
      ...(this.#version === null && { objects: 0 }),
      encodings: ['gzip'],
    };
  }

  /** The inventory's lines, with digests of what all nodes hold alike. */
  *inventory(): Generator<string> {
    yield `${JSON.stringify({ info: this.info() })}\n`;
    if (this.#version !== null) yield this.#reader.sharedLines();
    for (const live of this.#pods.values())
      yield `${JSON.stringify({ object: live.pod })}\n${JSON.stringify({ pod: this.#report(live) })}\n`;
    yield `${JSON.stringify({ end: true })}\n`;
  }

  listen(response: ServerResponse): void {
    this.#listeners.add(response);
    response.once('close', () => this.#listeners.delete(response));
    const lines: StatusLine[] = [
      { type: 'node', node: this.#nodeReport() },
      { type: 'images', images: [] },
    ];
    for (const live of this.#pods.values()) lines.push({ type: 'pod', pod: this.#report(live) });
    response.write(text([...lines, { type: 'synced' }]));
  }

  beat(): void {
    this.#say({ type: 'heartbeat', at: new Date().toISOString() });
  }

  /** The answer: a status and a body. */
  assign(body: Buffer, isCompressed: boolean): { readonly status: number; readonly body: object } {
    const moves = this.#reader.read(body, isCompressed, this.name);
    if (moves.epoch < this.#epoch) return { status: 409, body: { code: 'StaleEpoch', message: 'an older sender' } };
    if (moves.from !== null && moves.from !== this.#version)
      return { status: 409, body: { code: 'VersionMismatch', message: 'at another', version: this.#version } };
    this.#epoch = moves.epoch;
    this.#version = moves.to;
    this.#stats.bytes += body.length;
    this.#stats.assignments += 1;
    this.#take(moves);
    if (!this.#bringsInForce) {
      this.#bringsInForce = true;
      setTimeout(() => {
        this.#bringsInForce = false;
        this.#networkVersion = this.#version;
        this.#say({ type: 'node', node: this.#nodeReport() });
      }, RULES_MS);
    }
    return { status: 200, body: { version: moves.to } };
  }

  /** Whether its probe succeeds from now on. */
  setReady(uid: string, ready: boolean): void {
    const live = this.#pods.get(uid);
    if (!live) return;
    live.ready = ready;
    this.#say({ type: 'pod', pod: this.#report(live) });
  }

  forgetSlices(): void {
    this.#hasSlice = false;
  }

  #take(moves: Moves): void {
    if (moves.podCIDR !== undefined) this.#range = moves.podCIDR.split('/')[0]?.replace(/\.\d+$/, '') ?? '';
    if (moves.hasSlice && !this.#hasSlice) {
      this.#hasSlice = true;
      this.#stats.slices += 1;
    }
    if (moves.from === null) {
      const kept = new Set(moves.pods.map((pod) => pod.metadata.uid));
      for (const [uid, live] of this.#pods) if (!kept.has(uid)) this.#end(uid, live);
    }
    for (const pod of moves.pods) this.#pod(pod);
    for (const key of moves.removedPods)
      for (const [uid, live] of this.#pods)
        if (key === `${live.pod.metadata.namespace}/${live.pod.metadata.name}`) this.#end(uid, live);
  }

  #pod(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const known = this.#pods.get(uid);
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (known) this.#end(uid, known);
      else this.#gone(uid, pod);
      return;
    }
    if (known) return;
    const live: LivePod = {
      pod,
      ip: `${this.#range}.${this.#nextAddress}`,
      startedAt: new Date().toISOString(),
      phase: 'Pending',
      ready: false,
      ending: false,
    };
    this.#nextAddress = this.#nextAddress >= 250 ? 2 : this.#nextAddress + 1;
    this.#pods.set(uid, live);
    setTimeout(() => {
      if (live.ending) return;
      this.#say(
        { type: 'pod', pod: this.#report(live) },
        this.#event(pod, 'Pulled', 'Container image "app:v1" already present on machine'),
        this.#event(pod, 'Created', 'Created container: app'),
      );
    }, PULL_MS);
    setTimeout(() => {
      if (live.ending) return;
      live.phase = 'Running';
      live.ready = true;
      this.#stats.running += 1;
      this.#say({ type: 'pod', pod: this.#report(live) }, this.#event(pod, 'Started', 'Started container app'));
    }, START_MS);
  }

  #end(uid: string, live: LivePod): void {
    if (live.ending) return;
    live.ending = true;
    setTimeout(() => {
      if (live.phase === 'Running') this.#stats.running -= 1;
      this.#pods.delete(uid);
      this.#gone(uid, live.pod);
    }, STOP_MS);
  }

  #gone(uid: string, pod: Pod): void {
    const { namespace = '', name } = pod.metadata;
    this.#say({ type: 'pod', pod: { namespace, name, uid, gone: true } });
  }

  #event(pod: Pod, reason: string, message: string): StatusLine {
    const { namespace = '', name, uid = '' } = pod.metadata;
    return {
      type: 'event',
      event: { namespace, name, uid, type: 'Normal', reason, message, at: new Date().toISOString(), count: 1 },
    };
  }

  #say(...lines: readonly StatusLine[]): void {
    if (this.silent) return;
    const bytes = text(lines);
    for (const listener of this.#listeners) listener.write(bytes);
  }

  #report({ pod, ip, startedAt, phase, ready }: LivePod): Extract<StatusLine, { type: 'pod' }>['pod'] {
    const { namespace = '', name, uid = '' } = pod.metadata;
    const running = phase === 'Running';
    const conditions = ['Initialized', 'PodScheduled', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: type.endsWith('Ready') && !ready ? ('False' as const) : ('True' as const),
      lastTransitionTime: startedAt,
    }));
    return {
      namespace,
      name,
      uid,
      gone: false,
      status: {
        phase,
        conditions,
        hostIP: this.#ip,
        startTime: startedAt,
        ...(running && { podIP: ip, podIPs: [{ ip }] }),
        containerStatuses: pod.spec.containers.map((container) => ({
          name: container.name,
          state: running ? { running: { startedAt } } : { waiting: { reason: 'ContainerCreating' } },
          lastState: {},
          ready,
          started: running,
          restartCount: 0,
          image: container.image,
          imageID: `sha256:${'0'.repeat(64)}`,
          ...(running && { containerID: `containerd://${uid}` }),
        })),
      },
    };
  }

  #nodeReport(): NodeReport {
    return {
      internalIP: this.#ip,
      hostname: this.name,
      capacity: { cpu: '32', memory: '128Gi', pods: '110' },
      nodeInfo: {
        machineID: this.name,
        bootID: this.name,
        kernelVersion: '6.1',
        osImage: 'Debian 12',
        architecture: 'x64',
        containerRuntimeVersion: 'containerd://1.6',
        agentVersion: '0',
      },
      ready: true,
      reason: 'KubeletReady',
      message: 'the container runtime answers',
      networkVersion: this.#networkVersion,
      networkError: null,
      memoryPressure: { pressure: false, message: 'the node has memory to spare' },
      diskPressure: { pressure: false, message: 'the node has disk to spare' },
      pidPressure: { pressure: false, message: 'the node has process ids to spare' },
      agentRss: 70_000_000,
    };
  }
}

function text(lines: readonly StatusLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

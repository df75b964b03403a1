/** The agent as it is shipped, on a test host, driven through its socket as the control plane drives it. */
import { build } from 'esbuild';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import type {
  AgentInfo,
  AssignmentUpdate,
  InventoryLine,
  NodeImage,
  NodeReport,
  PodEventReport,
  PodReport,
  StatusLine,
} from '../../../contracts/agent/index.ts';
import {
  keyOf,
  type ConfigMap,
  type KubeObject,
  type ObjectKey,
  type Pod,
  type Secret,
} from '../../../contracts/objects/index.ts';
import { PodManifest } from '../../../contracts/objects/pod.ts';
import { BUSYBOX, UID_MARK, type TestHost } from './host.ts';
import { patience, whenOver } from '../../support/patience.ts';

export interface TestAgent {
  readonly host: TestHost;
  readonly pid: number;
  readonly pods: ReadonlyMap<string, PodReport>;
  readonly events: readonly PodEventReport[];
  readonly node: () => NodeReport | undefined;
  /** Lines about images so far. */
  imageLines(): number;
  /** Resolves with the images that were told last when they pass the test. */
  untilImages(test: (images: readonly NodeImage[]) => boolean, ms?: number): Promise<readonly NodeImage[]>;
  log(): string;
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<{ status: number; text: string }>;
  info(): Promise<AgentInfo>;
  inventory(): Promise<readonly InventoryLine[]>;
  /** Brings the assignment from what it was to what it is now. */
  assign(change: {
    upsert?: readonly KubeObject[];
    remove?: readonly ObjectKey[];
    whole?: boolean;
    epoch?: number;
  }): Promise<{ status: number; text: string }>;
  /** Resolves with the report when it passes the test; rejects with the last one after `ms`. */
  until(name: string, test: (pod: PodReport) => boolean, ms?: number): Promise<PodReport>;
  exec(
    pod: string,
    command: readonly string[],
    stdin?: string,
  ): Promise<{ stdout: string; stderr: string; exitCode: number }>;
  /** Resolves when its process has ended, for whatever reason. */
  readonly ended: Promise<unknown>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** Bundles the agent for a host. */
export async function bundle(folder: string): Promise<string> {
  const outfile = join(folder, 'agent.mjs');
  await build({
    entryPoints: ['nodeagent/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  return outfile;
}

export async function startAgent(
  host: TestHost,
  options: {
    node?: string;
    file?: string;
    flags?: readonly string[];
    network?: boolean;
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<TestAgent> {
  const file = options.file ?? (await bundle(host.folder));
  const root = join(host.folder, 'root');
  const child = host.spawn(
    [
      options.node ?? process.execPath,
      file,
      '--containerd',
      host.containerdSocket,
      '--root',
      root,
      ...(options.network ? [] : ['--no-network']),
      ...(options.flags ?? []),
    ],
    options.env,
  );
  let noise = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    noise += chunk.toString();
  });
  child.stdin?.end();
  const exited = once(child, 'exit');
  const socket = `/proc/${host.pid}/root${root}/run/plumbline/agent.sock`;

  const call: TestAgent['call'] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath: socket, method, path, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });

  let info: AgentInfo | undefined;
  const isOver = patience(10_000);
  while (!info) {
    if (child.exitCode !== null || isOver()) throw new Error(`the agent does not start: ${noise}`);
    info = await call('GET', '/v1/info').then(
      (answer) => JSON.parse(answer.text) as AgentInfo,
      () => undefined,
    );
    if (!info) await delay(50);
  }
  const started = info;
  let version = started.assignmentVersion;
  let serial = Number(version?.slice(1) ?? 0);

  const pods = new Map<string, PodReport>();
  const events: PodEventReport[] = [];
  const watchers = new Set<() => void>();
  let node: NodeReport | undefined;
  let images: readonly NodeImage[] = [];
  let imageLines = 0;
  const stream = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({ socketPath: socket, path: '/v1/status', agent: false }, resolve).on('error', reject).end();
  });
  let buffered = '';
  stream.on('error', () => undefined);
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (buffered + chunk).split('\n');
    buffered = lines.pop() ?? '';
    for (const line of lines) {
      const told = JSON.parse(line) as StatusLine;
      if (told.type === 'pod') pods.set(told.pod.name, told.pod);
      if (told.type === 'event') events.push(told.event);
      if (told.type === 'node') node = told.node;
      if (told.type === 'images') {
        images = told.images;
        imageLines += 1;
      }
    }
    for (const watcher of watchers) watcher();
  });

  return {
    host,
    pid: started.pid,
    pods,
    events,
    call,
    ended: exited,
    node: () => node,
    imageLines: () => imageLines,
    untilImages(test, ms = 30_000) {
      return new Promise((resolve, reject) => {
        const forget = whenOver(ms, () => {
          watchers.delete(look);
          reject(
            new Error(
              `the images did not come to that within ${ms} ms: ${JSON.stringify(images, null, 1)}\nevents: ${JSON.stringify(
                events.map((e) => `${e.reason} ${e.message}`),
                null,
                1,
              )}`,
            ),
          );
        });
        const look = (): void => {
          if (!test(images)) return;
          forget();
          watchers.delete(look);
          resolve(images);
        };
        watchers.add(look);
        look();
      });
    },
    log: () => noise,
    info: async () => JSON.parse((await call('GET', '/v1/info')).text) as AgentInfo,
    inventory: async () =>
      (await call('GET', '/v1/inventory/lines')).text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as InventoryLine),
    async assign({ upsert = [], remove = [], whole = version === null, epoch = 1 }) {
      const update: AssignmentUpdate = {
        epoch,
        node: 'test-node',
        from: whole ? null : version,
        to: `v${(serial += 1)}`,
        upsert,
        remove,
      };
      const answer = await call('POST', '/v1/assignment', update);
      if (answer.status === 200) version = update.to;
      return answer;
    },
    until(name, test, ms = 30_000) {
      return new Promise((resolve, reject) => {
        const forget = whenOver(ms, () => {
          watchers.delete(look);
          reject(
            new Error(
              `pod ${name} did not come to that within ${ms} ms: ${JSON.stringify(pods.get(name), null, 1)}\nevents: ${JSON.stringify(
                events.filter((e) => e.name === name).map((e) => `${e.reason} ${e.message}`),
                null,
                1,
              )}\n${noise.split('\n').slice(-30).join('\n')}`,
            ),
          );
        });
        const look = (): void => {
          const pod = pods.get(name);
          if (!pod || !test(pod)) return;
          forget();
          watchers.delete(look);
          resolve(pod);
        };
        watchers.add(look);
        look();
      });
    },
    exec(pod, command, stdin) {
      const query = new URLSearchParams({
        namespace: 'default',
        pod,
        stdin: String(stdin !== undefined),
        tty: 'false',
      });
      for (const word of command) query.append('command', word);
      return execOver(socket, `/v1/exec?${query.toString()}`, stdin);
    },
    async stop() {
      process.kill(child.pid ?? 0, 0);
      await call('GET', '/v1/info');
      await host.run(['kill', '-TERM', String(started.pid)]);
      const [code] = (await exited) as [number | null];
      return code;
    },
    async kill() {
      await host.run(['kill', '-KILL', String(started.pid)]);
      await exited;
    },
  };
}

function execOver(
  socketPath: string,
  path: string,
  stdin: string | undefined,
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const out = ['', '', ''];
    let head: Buffer = Buffer.alloc(0);
    let upgraded = false;
    const read = execFrameReader((channel, payload) => {
      if (channel === 3)
        resolve({
          stdout: out[1] ?? '',
          stderr: out[2] ?? '',
          exitCode: (JSON.parse(payload.toString()) as { exitCode: number }).exitCode,
        });
      else out[channel] += payload.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`exec ended without a result: ${head.toString()}`)));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: plumb-exec\r\n\r\n`);
    socket.on('data', (chunk: Buffer) => {
      if (upgraded) return read(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0 || !head.toString().startsWith('HTTP/1.1 101')) return;
      upgraded = true;
      if (stdin !== undefined) {
        socket.write(execFrame(0, Buffer.from(stdin)));
        socket.write(execFrame(0, Buffer.alloc(0)));
      }
      read(head.subarray(end + 4));
    });
  });
}

let uids = 0;
/** A pod as the control plane would assign it: parsed, with defaults, with a uid. */
export function testPod(name: string, spec: Record<string, unknown>, meta: Record<string, unknown> = {}): Pod {
  const parsed = PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec,
  }) as unknown as Pod;
  uids += 1;
  return {
    ...parsed,
    metadata: { ...parsed.metadata, uid: `uid${UID_MARK}${uids}-${name}`, resourceVersion: String(uids), ...meta },
  };
}

/** One busybox container that runs a shell line. */
export function shellPod(
  name: string,
  script: string,
  more: { spec?: Record<string, unknown>; container?: Record<string, unknown> } = {},
): Pod {
  return testPod(name, {
    containers: [{ name: 'main', image: BUSYBOX, command: ['/bin/sh', '-c', script], ...more.container }],
    terminationGracePeriodSeconds: 2,
    ...more.spec,
  });
}

export function deleted(pod: Pod, graceSeconds?: number): Pod {
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      deletionTimestamp: new Date().toISOString(),
      ...(graceSeconds !== undefined && { deletionGracePeriodSeconds: graceSeconds }),
    },
  };
}

export function configMap(name: string, data: Record<string, string>, resourceVersion = '1'): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', resourceVersion, uid: `cm-${name}` },
    data,
  };
}

export function secret(name: string, data: Record<string, string>, resourceVersion = '1'): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace: 'default', resourceVersion, uid: `secret-${name}` },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  };
}

export const key = (object: KubeObject): ObjectKey => keyOf(object);
export const isReady = (pod: PodReport): boolean =>
  pod.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True';
export const main = (pod: PodReport) => pod.status?.containerStatuses?.[0];

/** `plumb port-forward`: connections to a port of this machine, joined to one of a pod. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { EXEC_UPGRADE } from '../../contracts/agent/index.ts';
import { errorText } from '../../contracts/errors.ts';
import { labelsInclude, type Pod, type Service } from '../../contracts/objects/index.ts';
import type { ObjectList } from '../../reconciler/api/types.ts';
import { runSession } from '../container-session.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { forwardedPorts, type ForwardedPort } from '../forwarded-ports.ts';
import { print, progress } from '../print/terminal.ts';
import { objectPath, parseTarget } from './get.ts';
import { bestPod, podName } from './logs.ts';

export interface PortForwardOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly address: readonly string[];
}

/** Connections at a time for each port; more are turned away. */
const MOST_CONNECTIONS = 128;
/** What `localhost` is; one of them is enough. */
const LOOPBACK = ['127.0.0.1', '::1'];

/** Runs until it is ended, or the pod is gone. CliFailure where a port cannot be listened on. */
export async function portForward(
  target: string,
  words: readonly string[],
  { home, namespace, address }: PortForwardOptions,
): Promise<void> {
  const client = controlPlane(home);
  const { pod, service } = await targetOf(client, target, namespace);
  const path = objectPath('Pod', namespace, pod.metadata.name);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const servers: Server[] = [];
  let lost: CliFailure | undefined;
  try {
    for (const port of forwardedPorts(words, pod, service)) {
      const join = (local: Socket): void => {
        void forward(client, path, port.remote, local).catch(async (error: unknown) => {
          progress(`connection to port ${port.remote}: ${errorText(error)}`);
          if (await isGone(client, pod)) {
            lost = new CliFailure(1, `pod ${namespace}/${pod.metadata.name} is gone`, 'start it again for another one');
            stop.abort();
          }
        });
      };
      servers.push(...(await listenAt(address, port, join)));
    }
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
  } finally {
    for (const server of servers) server.close();
  }
  if (lost) throw lost;
  // Connections that are open end with the program.
  process.exit(0);
}

async function targetOf(
  client: ControlPlaneClient,
  target: string,
  namespace: string,
): Promise<{ readonly pod: Pod; readonly service?: Service }> {
  const { kind, name } = target.includes('/') ? parseTarget(target) : { kind: 'Pod' as const, name: target };
  if (name === undefined || name === '') throw new CliFailure(2, `${target}: a name is missing after the slash`);
  if (kind !== 'Service') {
    const found = await podName(client, target, namespace);
    return { pod: await client.get<Pod>(objectPath('Pod', namespace, found)) };
  }
  const service = await client.get<Service>(objectPath('Service', namespace, name));
  const { selector = {} } = service.spec;
  if (Object.keys(selector).length === 0)
    throw new CliFailure(1, `service ${namespace}/${name} selects no pods: its endpoints are not the cluster's`);
  const { items } = await client.get<ObjectList>(objectPath('Pod', namespace));
  const pod = bestPod((items as readonly Pod[]).filter(({ metadata }) => labelsInclude(metadata.labels, selector)));
  if (!pod)
    throw new CliFailure(
      1,
      `service ${namespace}/${name} has no pods`,
      `see why with: plumb explain ${target} -n ${namespace}`,
    );
  return { pod, service };
}

/** At every address; at `localhost` where it is one of this machine's. */
async function listenAt(
  addresses: readonly string[],
  { local, remote }: ForwardedPort,
  join: (socket: Socket) => void,
): Promise<readonly Server[]> {
  const servers: Server[] = [];
  let port = local;
  for (const address of addresses) {
    const hosts = address === 'localhost' ? LOOPBACK : [address];
    const failures: string[] = [];
    for (const host of hosts) {
      try {
        const server = await listen(host, port, join);
        servers.push(server);
        // The same one everywhere, where any was asked for.
        ({ port } = server.address() as AddressInfo);
        await print(`Forwarding from ${host.includes(':') ? `[${host}]` : host}:${port} -> ${remote}\n`);
      } catch (error) {
        failures.push(errorText(error));
      }
    }
    if (failures.length === hosts.length)
      throw new CliFailure(1, `port ${port} cannot be listened on at ${address}: ${failures.join('; ')}`);
  }
  return servers;
}

async function listen(host: string, port: number, join: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, join);
  server.maxConnections = MOST_CONNECTIONS;
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

/** One connection, until both sides have ended it. */
async function forward(client: ControlPlaneClient, path: string, port: number, local: Socket): Promise<void> {
  // Whoever went away has nobody to tell; what it left open is closed below.
  local.on('error', () => undefined);
  try {
    const far = await client.upgrade(`${path}/portforward?ports=${port}`, EXEC_UPGRADE);
    local.once('close', () => far.destroy());
    const { message } = await runSession(far, { stdin: local, stdout: local }).catch((error: unknown) => {
      if (local.destroyed) return { message: undefined };
      throw error;
    });
    if (message !== undefined) throw new CliFailure(1, message);
  } finally {
    local.end();
    local.destroySoon();
  }
}

/** False as well where nobody can tell. */
async function isGone(client: ControlPlaneClient, { metadata }: Pod): Promise<boolean> {
  const list = await client.get<ObjectList>(objectPath('Pod', metadata.namespace)).catch(() => undefined);
  return list !== undefined && !list.items.some((pod) => pod.metadata.uid === metadata.uid);
}

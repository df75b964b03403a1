/** Pods on three hosts that tell their names, asked from pods and from hosts, and the Services that lead to them. */
import assert from 'node:assert/strict';
import type { StoredOf } from '../../../contracts/objects/index.ts';
import { startReacher, type Reach, type Reacher } from '../../support/reach.ts';
import { eventually, type Fleet } from '../fleet.ts';
import { podPlaces } from '../pod-places.ts';

export const NAMESPACE = 'conf';
/** A pod tells its name at both of these, by TCP and UDP. */
export const PORT = 7070;
export const SECOND_PORT = 7071;
/** By HTTP a pod of {@link peer} tells its name here, at `/who`. */
export const HTTP_PORT = 8080;
const SECONDS = 60;
/** Long enough for an answer on a busy machine. */
const PATIENCE_MS = 1000;

const WHO = `mkdir -p /tmp/w && hostname >/tmp/w/who && exec httpd -f -p ${HTTP_PORT} -h /tmp/w`;

interface ContainerPort {
  readonly name: string;
  readonly containerPort: number;
  readonly hostPort?: number;
  readonly hostIP?: string;
  readonly protocol?: string;
}

/** A pod of this node, found by its labels. */
export function peer(
  name: string,
  node: string,
  labels: Readonly<Record<string, string>>,
  ports: readonly ContainerPort[] = [],
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      nodeSelector: { 'kubernetes.io/hostname': node },
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: 'registry.lab/busybox:1',
          command: ['sh', '-c', WHO],
          ports,
          readinessProbe: { tcpSocket: { port: HTTP_PORT }, periodSeconds: 1 },
          resources: { requests: { cpu: '5m', memory: '4Mi' } },
        },
      ],
    },
  };
}

export function service(name: string, spec: object): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: NAMESPACE }, spec };
}

export class Scene {
  readonly fleet: Fleet;
  private readonly reachers = new Map<string, Reacher>();

  constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  /** Files of the folder become these; pushed as one revision. */
  async push(message: string, files: Readonly<Record<string, readonly object[]>>): Promise<void> {
    for (const [name, objects] of Object.entries(files))
      await this.fleet.write(
        `${NAMESPACE}/${name}.yaml`,
        objects.map((one) => `${JSON.stringify(one)}\n`).join('---\n'),
      );
    await this.fleet.commitAndPush(message);
  }

  /** Once these pods are ready, they tell their names, and can ask. */
  enter(...names: readonly string[]): Promise<void> {
    return this.enterOnce('ready', names, ({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    );
  }

  /** The same of pods that never are ready: once they run. */
  enterUnready(...names: readonly string[]): Promise<void> {
    return this.enterOnce('running', names, ({ status }) => status?.phase === 'Running');
  }

  private async enterOnce(
    what: string,
    names: readonly string[],
    is: (pod: StoredOf<'Pod'>) => boolean | undefined,
  ): Promise<void> {
    const pods = await eventually(`${names.join(', ')} are ${what}`, SECONDS, async () => {
      const found = (await this.fleet.list('Pod', NAMESPACE)).filter(
        (pod) => names.includes(pod.metadata.name) && pod.metadata.deletionTimestamp === undefined && is(pod),
      );
      return found.length === names.length && found;
    });
    const places = await podPlaces(this.fleet);
    await Promise.all(
      pods.map(async ({ metadata: { name }, status }) => {
        const argv = ['nsenter', `--net=${places.get(status?.podIP ?? '') ?? ''}`];
        this.reachers.set(name, await startReacher(argv, [PORT, SECOND_PORT], name));
      }),
    );
  }

  /** Hosts ask, too. */
  async enterHosts(): Promise<void> {
    for (const { name } of this.fleet.lab.nodes)
      this.reachers.set(
        name,
        await startReacher(['nsenter', `--net=/proc/${await this.fleet.initPid(name)}/ns/net`], []),
      );
  }

  /** This machine asks as `outside`: it is on the hosts' network, and none of them. */
  async enterOutside(): Promise<void> {
    this.reachers.set('outside', await startReacher([], []));
  }

  async leave(...names: readonly string[]): Promise<void> {
    for (const name of names.length > 0 ? names : this.reachers.keys()) {
      await this.reachers.get(name)?.close();
      this.reachers.delete(name);
    }
  }

  /** Who answers a pod or host; undefined for nobody. */
  async asks(from: string, ...targets: readonly Reach[]): Promise<readonly (string | undefined)[]> {
    const reacher = this.reachers.get(from);
    assert.ok(reacher, from);
    return reacher.asks(targets, PATIENCE_MS);
  }

  /** Once these answer, in that order. */
  async answers(from: string, targets: readonly Reach[], names: readonly string[]): Promise<void> {
    await eventually(`${names.join(', ')} answer ${from}`, SECONDS, async () => {
      assert.deepEqual(await this.asks(from, ...targets), names, from);
      return true;
    });
  }

  /** Asked this often, one after the other. */
  async asksOften(from: string, target: Reach, times: number): Promise<readonly (string | undefined)[]> {
    const heard: (string | undefined)[] = [];
    for (let i = 0; i < times; i += 1) heard.push(...(await this.asks(from, target)));
    return heard;
  }

  async addressOfPod(name: string): Promise<string> {
    const found = (await this.fleet.list('Pod', NAMESPACE)).find(({ metadata }) => metadata.name === name);
    return found?.status?.podIP ?? '';
  }

  async serviceNamed(name: string): Promise<StoredOf<'Service'>> {
    const found = (await this.fleet.list('Service', NAMESPACE)).find(({ metadata }) => metadata.name === name);
    assert.ok(found, name);
    return found;
  }

  /** Once it has an address. */
  clusterIP(name: string): Promise<string> {
    return eventually(`${name} has an address`, SECONDS, async () => (await this.serviceNamed(name)).spec.clusterIP);
  }

  /** Once it has one. */
  nodePort(name: string): Promise<number> {
    return eventually(
      `${name} has a node port`,
      SECONDS,
      async () => (await this.serviceNamed(name)).spec.ports[0]?.nodePort,
    );
  }

  /** What `nslookup` in the pod `client` prints of answers, without the server's own. */
  async resolves(name: string): Promise<string> {
    const { stdout } = await this.fleet.plumb(
      ...['exec', 'client', '-n', NAMESPACE, '--', 'sh', '-c', `nslookup -type=a ${name} 2>&1 || true`],
    );
    return stdout.split('\n').slice(2).join('\n');
  }

  async slicesOf(name: string): Promise<readonly StoredOf<'EndpointSlice'>[]> {
    return (await this.fleet.list('EndpointSlice', NAMESPACE)).filter(
      ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name,
    );
  }

  /** Ready addresses of the Endpoints of this name, ordered; undefined where there are none of it. */
  async listedFor(name: string): Promise<readonly string[] | undefined> {
    const found = (await this.fleet.list('Endpoints', NAMESPACE)).find(({ metadata }) => metadata.name === name);
    return found?.subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)).sort();
  }

  /** `NAME OF POD:PORT` for each endpoint that is ready, in order. */
  async endpointsOf(name: string): Promise<readonly string[]> {
    return (await this.slicesOf(name))
      .flatMap(({ endpoints, ports }) =>
        endpoints
          .filter(({ conditions }) => conditions.ready)
          .flatMap(({ targetRef }) => ports.map(({ port }) => `${targetRef?.name ?? ''}:${port}`)),
      )
      .sort();
  }
}

/**
 * Which ports of a pod `plumb port-forward` means. Source: Kubernetes,
 * staging/src/k8s.io/kubectl/pkg/cmd/portforward/portforward.go and pkg/util/service_port.go.
 */
import type { Pod, Service } from '../contracts/objects/index.ts';
import { CliFailure } from './failure.ts';

export interface ForwardedPort {
  /** 0: any that is free. */
  readonly local: number;
  /** Of the pod. */
  readonly remote: number;
}

/**
 * `words`: `LOCAL:REMOTE`, `:REMOTE`, or `PORT` for both, by number or, the remote one, by name. With a Service the remote
 * ones are its own, and come to what they target in this pod. CliFailure for what is no port, or none of theirs.
 */
export function forwardedPorts(
  words: readonly string[],
  pod: Pod,
  service: Service | undefined,
): readonly ForwardedPort[] {
  return words.map((word) => {
    const parts = word.split(':');
    const far = parts.at(-1) ?? '';
    if (parts.length > 2 || far === '') throw wrongPort(word);
    const { shown, remote } = service ? servicePort(service, far, pod) : podPort(pod, far);
    const local = parts.length === 1 ? shown : parts[0] === '' ? 0 : numbered(parts[0] ?? '', word);
    return { local, remote };
  });
}

interface FarPort {
  /** As whoever asks knows it. */
  readonly shown: number;
  /** Of the pod. */
  readonly remote: number;
}

function servicePort({ metadata, spec }: Service, far: string, pod: Pod): FarPort {
  const title = `service ${metadata.namespace ?? 'default'}/${metadata.name}`;
  const isNumber = /^\d+$/.test(far);
  const found = spec.ports.find(({ name, port }) => (isNumber ? port === Number(far) : name === far));
  if (!found)
    throw new CliFailure(
      1,
      `${title} has no port ${far}`,
      `it has: ${spec.ports.map(({ name, port }) => (name === undefined ? port : `${port} (${name})`)).join(', ')}`,
    );
  if (found.protocol !== 'TCP')
    throw new CliFailure(1, `port ${far} of ${title} is ${found.protocol}: only TCP is forwarded`);
  const target = spec.clusterIP === 'None' ? found.port : found.targetPort;
  return { shown: found.port, remote: typeof target === 'number' ? target : podPort(pod, target).remote };
}

/** A number, or the name of a port that a container declares. */
function podPort(pod: Pod, far: string): FarPort {
  if (/^\d+$/.test(far)) return bothOf(numbered(far, far));
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  const found = ports.find(({ name, protocol }) => name === far && protocol === 'TCP');
  if (!found)
    throw new CliFailure(
      1,
      `pod ${pod.metadata.namespace ?? 'default'}/${pod.metadata.name} declares no TCP port ${JSON.stringify(far)}`,
    );
  return bothOf(found.containerPort);
}

function bothOf(port: number): FarPort {
  return { shown: port, remote: port };
}

function numbered(text: string, word: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) throw wrongPort(word);
  return port;
}

function wrongPort(word: string): CliFailure {
  return new CliFailure(
    2,
    `${JSON.stringify(word)} is no port`,
    'write LOCAL:REMOTE, :REMOTE or PORT, such as 8080:80',
  );
}

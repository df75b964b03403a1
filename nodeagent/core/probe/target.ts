/** What a probe asks, with every name already resolved to an address and a port. */
import type { Container, LifecycleHandler, Probe } from '../../../contracts/objects/index.ts';

export type ProbeTarget =
  | {
      readonly kind: 'http';
      readonly scheme: 'http' | 'https';
      readonly host: string;
      readonly port: number;
      readonly path: string;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'grpc'; readonly host: string; readonly port: number; readonly service: string }
  | { readonly kind: 'exec'; readonly containerId: string; readonly command: readonly string[] };

type Action =
  Pick<Probe, 'httpGet' | 'tcpSocket' | 'exec' | 'grpc'> | Pick<LifecycleHandler, 'httpGet' | 'tcpSocket' | 'exec'>;

/** Undefined when the action names a port that the container does not have, or is of another kind. */
export function probeTarget(
  action: Action,
  container: Container,
  containerId: string,
  podIP: string,
): ProbeTarget | undefined {
  if (action.exec) return { kind: 'exec', containerId, command: action.exec.command };
  if ('grpc' in action && action.grpc)
    return { kind: 'grpc', host: podIP, port: action.grpc.port, service: action.grpc.service };
  const named = action.httpGet?.port ?? action.tcpSocket?.port;
  const port = named === undefined ? undefined : portNumber(named, container);
  if (port === undefined) return undefined;
  if (action.tcpSocket) return { kind: 'tcp', host: action.tcpSocket.host ?? podIP, port };
  const get = action.httpGet;
  if (!get) return undefined;
  return {
    kind: 'http',
    scheme: get.scheme === 'HTTPS' ? 'https' : 'http',
    host: get.host ?? podIP,
    port,
    path: get.path.startsWith('/') ? get.path : `/${get.path}`,
    headers: get.httpHeaders ?? [],
  };
}

function portNumber(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  return container.ports?.find((p) => p.name === port)?.containerPort;
}

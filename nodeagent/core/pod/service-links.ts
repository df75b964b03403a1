/**
 * Environment variables that name the Services of a pod's namespace. Source: Kubernetes documentation, "Discovering
 * services".
 */
import type { Service } from '../../../contracts/objects/index.ts';

export function serviceLinks(services: readonly Service[]): readonly (readonly [string, string])[] {
  return services.flatMap((service) => {
    const ip = service.spec.clusterIP;
    const first = service.spec.ports[0];
    if (ip === undefined || ip === 'None' || !first) return [];
    const prefix = constantCase(service.metadata.name);
    const url = (port: typeof first): string =>
      `${port.protocol.toLowerCase()}://${ip.includes(':') ? `[${ip}]` : ip}:${port.port}`;
    return [
      [`${prefix}_SERVICE_HOST`, ip],
      [`${prefix}_SERVICE_PORT`, String(first.port)],
      ...service.spec.ports.flatMap((port) =>
        port.name === undefined
          ? []
          : [[`${prefix}_SERVICE_PORT_${constantCase(port.name)}`, String(port.port)] as const],
      ),
      [`${prefix}_PORT`, url(first)],
      ...service.spec.ports.flatMap((port) => {
        const link = `${prefix}_PORT_${port.port}_${port.protocol}`;
        return [
          [link, url(port)],
          [`${link}_PROTO`, port.protocol.toLowerCase()],
          [`${link}_PORT`, String(port.port)],
          [`${link}_ADDR`, ip],
        ] as const;
      }),
    ] as const;
  });
}

function constantCase(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

/** TCP ports of the machines that the proxies cannot have: a connection to one never comes to them. */
import { mayHaveNodePorts, type Machine, type Service } from '../../../contracts/objects/index.ts';

/** By port what has it, in words. `services`: the first of several has a port. */
export function takenPorts(
  machines: readonly Pick<Machine, 'spec'>[],
  services: readonly Pick<Service, 'metadata' | 'spec'>[],
): ReadonlyMap<number, string> {
  const taken = new Map<number, string>();
  for (const service of services)
    for (const port of heldPorts(service)) {
      const { namespace = '', name } = service.metadata;
      if (!taken.has(port)) taken.set(port, `Service ${namespace}/${name}, whose node port it is`);
    }
  for (const { spec } of machines) taken.set(spec.port, 'their sshd');
  return taken;
}

/** Ports that a Service has on every node, for TCP. */
export function heldPorts({ spec }: Pick<Service, 'spec'>): readonly number[] {
  if (!mayHaveNodePorts(spec)) return [];
  const { healthCheckNodePort } = spec;
  return [
    ...spec.ports.flatMap(({ protocol, nodePort }) => (protocol === 'TCP' && nodePort !== undefined ? [nodePort] : [])),
    ...(healthCheckNodePort === undefined ? [] : [healthCheckNodePort]),
  ];
}

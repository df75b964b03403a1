/** Ports of the node that a pod takes must be free. */
import type { Plugin } from '../framework.ts';
import { portsClash } from '../../../../contracts/objects/host-ports.ts';

export const nodePorts: Plugin = {
  name: 'NodePorts',
  preFilter({ hostPorts }, cluster) {
    if (hostPorts.length === 0) return undefined;
    return {
      scope: 'node',
      preemptable: () => true,
      filter: (node) => hostPorts.every((port) => !cluster.portTaken(node, port)),
      reasons(node) {
        const taken = hostPorts
          .filter((port) => cluster.portTaken(node, port))
          .map(({ port, address }) => (address === undefined ? port : `${port} at ${address}`))
          .join(', ');
        return [
          {
            reason: "node(s) didn't have free ports for the requested pod ports",
            detail: `host port ${taken} is taken`,
          },
        ];
      },
    };
  },
  hint: (event, shape) =>
    event.type === 'NodeAdd' ||
    event.type === 'NodeUpdate' ||
    (event.type === 'PodDelete' &&
      !event.leaving &&
      event.shape.hostPorts.some((freed) => shape.hostPorts.some((wanted) => portsClash(freed, wanted)))),
};

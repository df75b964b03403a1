/** Service: its ports, and what goes with which type. */
import type { Service } from '../../../../contracts/objects/index.ts';
import { PORT_NAME_RULE } from './check-container.ts';
import { eachDuplicate, isPortName, type CheckContext } from './context.ts';

export function checkService(object: Service, { error, has }: CheckContext): void {
  const { ports, type, clusterIP, sessionAffinity } = object.spec;
  const headless = clusterIP === 'None';
  if (ports.length === 0 && !headless)
    error(
      'MissingField',
      ['spec', 'ports'],
      'must have at least one port',
      'only a headless Service (clusterIP: None) may have none',
    );
  if (type === 'ClusterIP' && has(['spec', 'externalTrafficPolicy'])) {
    error('ForbiddenField', ['spec', 'externalTrafficPolicy'], 'may not be set when type is ClusterIP', 'remove it');
  }
  for (const [i, port] of ports.entries()) {
    const at = ['spec', 'ports', i];
    if (ports.length > 1 && port.name === undefined)
      error('MissingField', [...at, 'name'], 'is required when a Service has several ports');
    if (typeof port.targetPort === 'string') {
      if (/^\d+$/.test(port.targetPort))
        error(
          'WrongType',
          [...at, 'targetPort'],
          `must be a port number or name, found text "${port.targetPort}"`,
          `remove the quotes: targetPort: ${port.targetPort}`,
        );
      else if (!isPortName(port.targetPort)) error('InvalidValue', [...at, 'targetPort'], PORT_NAME_RULE);
    }
    if (port.nodePort !== undefined && type === 'ClusterIP') {
      error(
        'ForbiddenField',
        [...at, 'nodePort'],
        'may not be set when type is ClusterIP',
        'write type: NodePort, or remove it',
      );
    }
  }
  eachDuplicate(
    ports,
    (p) => p.name,
    (_, name, i) =>
      error('DuplicateName', ['spec', 'ports', i, 'name'], `${name} is the name of another port of this Service`),
  );
  eachDuplicate(
    ports,
    (p) => (p.nodePort === undefined ? undefined : `${p.nodePort}/${p.protocol}`),
    (_, port, i) => error('DuplicateName', ['spec', 'ports', i, 'nodePort'], `${port} is another port of this Service`),
  );
  eachDuplicate(
    ports,
    (p) => `${p.port}/${p.protocol}`,
    (_, port, i) => error('DuplicateName', ['spec', 'ports', i, 'port'], `${port} is another port of this Service`),
  );
  if (headless && type === 'NodePort')
    error('InvalidValue', ['spec', 'clusterIP'], 'may not be None when type is NodePort');
  if (sessionAffinity === 'None' && has(['spec', 'sessionAffinityConfig'])) {
    error('ForbiddenField', ['spec', 'sessionAffinityConfig'], 'may be set only when sessionAffinity is ClientIP');
  }
}

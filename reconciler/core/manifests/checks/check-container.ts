/** One container: its ports, environment, mounts, probes and resources. */
import type { Container, ContainerPort, PodSpec } from '../../../../contracts/objects/index.ts';
import type { PlacedContainer } from '../pod-templates.ts';
import { suggest } from '../suggest.ts';
import { oneOf } from '../wording.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkResources } from './check-resources.ts';
import { eachDuplicate, isPortName, type CheckContext } from './context.ts';

type Ports = readonly (typeof ContainerPort)['_output'][];

export function checkContainer(
  { container, path, init }: PlacedContainer,
  volumes: ReadonlySet<string>,
  pod: PodSpec,
  context: CheckContext,
): void {
  checkPorts(container, path, pod.hostNetwork, context);
  checkEnvironment(container, path, context);
  checkMounts(container, path, volumes, context);
  checkPrivileges(container, path, context);
  checkSleep(container, path, pod.terminationGracePeriodSeconds, context);
  checkResources(container.resources, [...path, 'resources'], {}, context);
  // A restartPolicy makes it a sidecar, which may have all of these: the restartPolicy is what is not acted on.
  if (init && !context.refused([...path, 'restartPolicy'])) {
    for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const) {
      if (container[field])
        context.error('ForbiddenField', [...path, field], 'may not be set for an init container', 'remove it');
    }
  } else checkProbes(container, path, context);
}

function checkPorts(
  container: Container,
  path: FieldPath,
  hostNetwork: boolean,
  { error, warning }: CheckContext,
): void {
  const ports: Ports = container.ports ?? [];
  const at = (i: number, field: string): FieldPath => [...path, 'ports', i, field];
  eachDuplicate(
    ports,
    (p) => p.name,
    (_, name, i) => error('DuplicateName', at(i, 'name'), `${name} is the name of another port of this container`),
  );
  eachDuplicate(
    ports,
    (p) => `${p.containerPort}/${p.protocol}`,
    (_, port, i) => warning('DuplicateName', at(i, 'containerPort'), `lists ${port} again`, 'remove one of the two'),
  );
  for (const [i, port] of ports.entries()) {
    if (port.name !== undefined && !isPortName(port.name)) error('InvalidValue', at(i, 'name'), PORT_NAME_RULE);
    if (hostNetwork && port.hostPort !== undefined && port.hostPort !== port.containerPort) {
      error(
        'InvalidValue',
        at(i, 'hostPort'),
        `must be the same as containerPort (${port.containerPort}) when hostNetwork is true`,
      );
    }
  }
}

/** Source: Kubernetes, IsValidPortName. */
export const PORT_NAME_RULE = "must have at most 15 lower case letters, digits and '-', with at least one letter";

const FIELD_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** Source: Kubernetes, IsRelaxedEnvVarName. */
const ENV_NAME = /^[\x20-\x3c\x3e-\x7e]+$/;
const ENV_NAME_RULE = "must consist of printable ASCII characters without '='";

function checkEnvironment(container: Container, path: FieldPath, { error, warning }: CheckContext): void {
  const env = container.env ?? [];
  eachDuplicate(
    env,
    (e) => e.name,
    (_, name, i) =>
      warning(
        'DuplicateEnv',
        [...path, 'env', i, 'name'],
        `sets ${name} again; the last one wins`,
        'remove one of the two',
      ),
  );
  for (const [i, { prefix }] of (container.envFrom ?? []).entries()) {
    if (prefix !== '' && !ENV_NAME.test(prefix))
      error('InvalidValue', [...path, 'envFrom', i, 'prefix'], ENV_NAME_RULE);
  }
  for (const [i, { name, valueFrom }] of env.entries()) {
    const at = [...path, 'env', i];
    if (!ENV_NAME.test(name)) error('InvalidValue', [...at, 'name'], ENV_NAME_RULE);
    if (!valueFrom) continue;
    const sources = [valueFrom.configMapKeyRef, valueFrom.fieldRef, valueFrom.secretKeyRef].filter(Boolean).length;
    if (sources !== 1)
      error('InvalidValue', [...at, 'valueFrom'], 'must have exactly one of configMapKeyRef, fieldRef, secretKeyRef');
    const field = valueFrom.fieldRef?.fieldPath;
    if (
      field !== undefined &&
      !FIELD_PATHS.includes(field) &&
      !/^metadata\.(labels|annotations)\['[^']+'\]$/.test(field)
    ) {
      const close = suggest(field, FIELD_PATHS);
      error(
        'InvalidValue',
        [...at, 'valueFrom', 'fieldRef', 'fieldPath'],
        `must be ${oneOf([...FIELD_PATHS, "metadata.labels['KEY']", "metadata.annotations['KEY']"])}, found ${field}`,
        close && `did you mean ${close}?`,
      );
    }
  }
}

function checkMounts(
  container: Container,
  path: FieldPath,
  volumes: ReadonlySet<string>,
  { error, closest }: CheckContext,
): void {
  const mounts = container.volumeMounts ?? [];
  for (const [i, mount] of mounts.entries()) {
    const at = [...path, 'volumeMounts', i];
    if (!volumes.has(mount.name)) {
      const close = closest(mount.name, () => [...volumes]);
      error(
        'UnknownVolume',
        [...at, 'name'],
        `names the volume ${mount.name}, which this pod does not have`,
        close ? `did you mean ${close}?` : `add it to the pod's volumes`,
      );
    }
    if (mount.subPath !== undefined && (mount.subPath.startsWith('/') || mount.subPath.split('/').includes('..'))) {
      error('InvalidValue', [...at, 'subPath'], "must be a relative path without '..'");
    }
    if (!mount.mountPath.startsWith('/') || mount.mountPath.includes(':'))
      error('InvalidValue', [...at, 'mountPath'], "must be an absolute path without ':'");
  }
  eachDuplicate(
    mounts,
    (m) => m.mountPath,
    (_, mountPath, i) =>
      error(
        'DuplicateName',
        [...path, 'volumeMounts', i, 'mountPath'],
        `${mountPath} is the mountPath of another volume`,
      ),
  );
}

/** Source: Kubernetes, ValidateSecurityContext. */
function checkPrivileges({ securityContext }: Container, path: FieldPath, { error }: CheckContext): void {
  if (securityContext?.allowPrivilegeEscalation !== false) return;
  const at = [...path, 'securityContext', 'allowPrivilegeEscalation'];
  if (securityContext.privileged)
    error('InvalidValue', at, 'may not be false when privileged is true', 'remove one of the two');
  else if (securityContext.capabilities?.add?.includes('CAP_SYS_ADMIN'))
    error('InvalidValue', at, 'may not be false when the capability CAP_SYS_ADMIN is added', 'remove one of the two');
}

/** A container that sleeps longer than its pod has to end would always be killed in its sleep. */
function checkSleep({ lifecycle }: Container, path: FieldPath, graceSeconds: number, { error }: CheckContext): void {
  for (const hook of ['preStop', 'postStart'] as const) {
    const seconds = lifecycle?.[hook]?.sleep?.seconds;
    if (seconds !== undefined && seconds > graceSeconds) {
      error(
        'InvalidValue',
        [...path, 'lifecycle', hook, 'sleep', 'seconds'],
        `must be at most terminationGracePeriodSeconds (${graceSeconds}), found ${seconds}`,
      );
    }
  }
}

function checkProbes(container: Container, path: FieldPath, { error, has }: CheckContext): void {
  const names = new Set((container.ports ?? []).map((p) => p.name).filter((n) => n !== undefined));
  const checkPort = (port: number | string | undefined, at: FieldPath): void => {
    if (typeof port !== 'string') return;
    if (/^\d+$/.test(port))
      error('WrongType', at, `must be a port number or name, found text "${port}"`, `remove the quotes: port: ${port}`);
    else if (!names.has(port)) {
      const hint =
        names.size > 0 ? `its ports: ${[...names].join(', ')}` : 'give one of its ports that name, or write the number';
      error('UnknownPort', at, `names the port ${port}, which container ${container.name} does not have`, hint);
    }
  };
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[kind];
    if (!probe) continue;
    const at = [...path, kind];
    checkPort(probe.httpGet?.port, [...at, 'httpGet', 'port']);
    checkPort(probe.tcpSocket?.port, [...at, 'tcpSocket', 'port']);
    if (kind !== 'readinessProbe' && probe.successThreshold !== 1)
      error('InvalidValue', [...at, 'successThreshold'], `must be 1 for a ${kind}`);
    if (kind === 'readinessProbe' && has([...at, 'terminationGracePeriodSeconds'])) {
      error(
        'ForbiddenField',
        [...at, 'terminationGracePeriodSeconds'],
        'may not be set for a readinessProbe: it never stops the container',
        'remove it',
      );
    }
  }
  for (const kind of ['preStop', 'postStart'] as const) {
    const handler = container.lifecycle?.[kind];
    checkPort(handler?.httpGet?.port, [...path, 'lifecycle', kind, 'httpGet', 'port']);
    checkPort(handler?.tcpSocket?.port, [...path, 'lifecycle', kind, 'tcpSocket', 'port']);
  }
}

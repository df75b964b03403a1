/** One container: its ports, environment, probes and resources. */
import { isSidecar, type Container, type ContainerPort, type PodSpec } from '../../../../contracts/objects/index.ts';
import type { PlacedContainer } from '../pod-templates.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkFieldRef, checkResourceFieldRef } from './check-downward.ts';
import { checkResources } from './check-resources.ts';
import { checkMounts } from './check-volumes.ts';
import { eachDuplicate, isPortName, type CheckContext } from './context.ts';

type Ports = readonly (typeof ContainerPort)['_output'][];

export function checkContainer(
  { container, path, init }: PlacedContainer,
  names: { readonly volumes: ReadonlySet<string>; readonly containers: ReadonlySet<string> },
  pod: PodSpec,
  context: CheckContext,
): void {
  checkPorts(container, path, pod.hostNetwork, context);
  checkEnvironment(container, path, names.containers, context);
  checkMounts(container, path, names.volumes, context);
  checkPrivileges(container, pod, path, context);
  checkSleep(container, path, pod.terminationGracePeriodSeconds, context);
  checkResources(container.resources, [...path, 'resources'], {}, context);
  checkRestart(container, path, context);
  checkResize(container, path, { init, pod }, context);
  if (init && !isSidecar(container)) {
    for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const) {
      if (container[field])
        context.error(
          'ForbiddenField',
          [...path, field],
          'may not be set for an init container',
          'remove it, or write restartPolicy: Always to keep the container running beside the others',
        );
    }
  } else checkProbes(container, path, context);
}

/** Source: Kubernetes, validateResizePolicy and validateInitContainers. */
function checkResize(
  { resizePolicy, ...container }: Container,
  path: FieldPath,
  { init, pod }: { readonly init: boolean; readonly pod: PodSpec },
  { error }: CheckContext,
): void {
  if (!resizePolicy) return;
  const at = [...path, 'resizePolicy'];
  if (init && !isSidecar(container)) error('ForbiddenField', at, 'may not be set for an init container');
  else if (pod.restartPolicy === 'Never') error('InvalidValue', at, 'must be NotRequired when restartPolicy is Never');
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

/** Source: Kubernetes, IsRelaxedEnvVarName. */
const ENV_NAME = /^[\x20-\x3c\x3e-\x7e]+$/;
const ENV_NAME_RULE = "must consist of printable ASCII characters without '='";

function checkEnvironment(
  container: Container,
  path: FieldPath,
  containers: ReadonlySet<string>,
  context: CheckContext,
): void {
  const { error, warning } = context;
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
    const { configMapKeyRef, fieldRef, resourceFieldRef, secretKeyRef } = valueFrom;
    if ([configMapKeyRef, fieldRef, resourceFieldRef, secretKeyRef].filter(Boolean).length !== 1)
      error(
        'InvalidValue',
        [...at, 'valueFrom'],
        'must have exactly one of configMapKeyRef, fieldRef, resourceFieldRef, secretKeyRef',
      );
    if (fieldRef) checkFieldRef(fieldRef, 'env', [...at, 'valueFrom', 'fieldRef'], context);
    if (resourceFieldRef)
      checkResourceFieldRef(resourceFieldRef, containers, 'env', [...at, 'valueFrom', 'resourceFieldRef'], context);
  }
}

/** Source: Kubernetes, ValidateSecurityContext. */
function checkPrivileges(
  { securityContext }: Container,
  { hostUsers }: PodSpec,
  path: FieldPath,
  { error }: CheckContext,
): void {
  if (securityContext?.procMount === 'Unmasked' && hostUsers !== false)
    error(
      'InvalidValue',
      [...path, 'securityContext', 'procMount'],
      'may be Unmasked only where hostUsers of the pod is false',
    );
  if (securityContext?.allowPrivilegeEscalation !== false) return;
  const at = [...path, 'securityContext', 'allowPrivilegeEscalation'];
  if (securityContext.privileged)
    error('InvalidValue', at, 'may not be false when privileged is true', 'remove one of the two');
  else if (securityContext.capabilities?.add?.includes('CAP_SYS_ADMIN'))
    error('InvalidValue', at, 'may not be false when the capability CAP_SYS_ADMIN is added', 'remove one of the two');
}

/** Source: Kubernetes, validateContainerRestartPolicy. */
function checkRestart(container: Container, path: FieldPath, { error }: CheckContext): void {
  if ((container.restartPolicyRules ?? []).length > 0 && container.restartPolicy === undefined)
    error('MissingField', [...path, 'restartPolicy'], 'is required when restartPolicyRules are written');
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

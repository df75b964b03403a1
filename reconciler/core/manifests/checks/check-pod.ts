/** Pod specs: names that must be unique, and names that must exist. */
import { isSidecar, readKey, type Toleration } from '../../../../contracts/objects/index.ts';
import { bandwidthIn, BANDWIDTH_ANNOTATIONS } from '../../../../contracts/objects/pod-bandwidth.ts';
import { containersOf, type PodTemplate } from '../pod-templates.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkContainer } from './check-container.ts';
import { checkHost } from './check-host.ts';
import { checkPodAnnotations } from './check-pod-annotations.ts';
import { checkPodResources } from './check-pod-resources.ts';
import { checkPlacement } from './check-placement.ts';
import { checkResources } from './check-resources.ts';
import { checkVolumes } from './check-volumes.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

export function checkPod(template: PodTemplate, context: CheckContext): void {
  const { spec, path } = template;
  const containers = containersOf(template);
  eachDuplicate(
    containers,
    (c) => c.container.name,
    (c, name) => {
      context.error(
        'DuplicateName',
        [...c.path, 'name'],
        `${name} is the name of another container of this pod`,
        'container names are unique, also between containers and initContainers',
      );
    },
  );
  const volumes = new Set([...(spec.volumes ?? []).map((v) => v.name), ...(template.addedVolumes ?? [])]);
  const names = new Set(containers.map(({ container }) => container.name));
  for (const placed of containers) checkContainer(placed, { volumes, containers: names }, spec, context);
  checkHost(spec, path, context);
  checkVolumes(spec, names, path, context);
  checkHostPorts(template, context);
  checkBandwidth(template, context);
  checkPodAnnotations(template, context);
  checkTolerations(spec.tolerations, [...path, 'tolerations'], context);
  checkPlacement(spec, path, context);
  checkPodResources(spec, containers, path, context);
  checkResources({ limits: spec.overhead }, path, { limits: 'overhead' }, context);
}

/** Of sidecars and containers, which run at the same time: nothing forwards to other init containers. */
function checkHostPorts(template: PodTemplate, { error }: CheckContext): void {
  const ports = containersOf(template)
    .filter(({ container, init }) => !init || isSidecar(container))
    .flatMap(({ container, path }) =>
      (container.ports ?? []).map((port, i) => ({ port, path: [...path, 'ports', i] })),
    );
  eachDuplicate(
    ports,
    ({ port }) =>
      port.hostPort === undefined
        ? undefined
        : `${port.hostIP === undefined ? '' : `${port.hostIP}:`}${port.hostPort}/${port.protocol}`,
    ({ path }, name) => {
      error('DuplicateName', [...path, 'hostPort'], `${name} is taken by another port of this pod`);
    },
  );
}

/** They are limits: who writes one counts on it. */
function checkBandwidth({ spec, path, annotations }: PodTemplate, { error }: CheckContext): void {
  for (const key of Object.values(BANDWIDTH_ANNOTATIONS)) {
    const text = readKey(annotations, key);
    if (text === undefined) continue;
    const at = [...path.slice(0, -1), 'metadata', 'annotations', key];
    if (bandwidthIn(text) === undefined)
      error('InvalidValue', at, `is no rate: ${JSON.stringify(text)}`, 'bits a second, from 1k to 1P: 10M, 1G');
    else if (spec.hostNetwork)
      error('ForbiddenField', at, 'limits nothing of a pod that has hostNetwork: true', 'remove it, or hostNetwork');
  }
}

export function checkTolerations(
  tolerations: readonly Toleration[] | undefined,
  path: FieldPath,
  { error }: CheckContext,
): void {
  for (const [i, t] of (tolerations ?? []).entries()) {
    const at = [...path, i];
    if (t.operator === 'Exists' && t.value)
      error(
        'ForbiddenField',
        [...at, 'value'],
        'may not be set when operator is Exists',
        'remove it, or use operator: Equal',
      );
    if (t.operator === 'Equal' && t.key === undefined)
      error(
        'MissingField',
        [...at, 'key'],
        'is required when operator is Equal',
        'to tolerate everything, write operator: Exists',
      );
    if (t.tolerationSeconds !== undefined && t.effect !== 'NoExecute') {
      error('ForbiddenField', [...at, 'tolerationSeconds'], 'may be set only when effect is NoExecute');
    }
  }
}

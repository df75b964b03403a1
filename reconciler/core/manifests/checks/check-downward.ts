/**
 * What a container or a volume may be told of its pod. Source: Kubernetes pkg/apis/core/validation:
 * validateObjectFieldSelector, validateContainerResourceFieldSelector, validateContainerResourceDivisor.
 */
import { parseQuantity, type ResourceFieldRef } from '../../../../contracts/objects/index.ts';
import { suggest } from '../suggest.ts';
import { oneOf } from '../wording.ts';
import type { FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

const OF_BOTH = ['metadata.name', 'metadata.namespace', 'metadata.uid'];
const FIELDS = {
  env: [
    ...OF_BOTH,
    'spec.nodeName',
    'spec.serviceAccountName',
    'status.hostIP',
    'status.hostIPs',
    'status.podIP',
    'status.podIPs',
  ],
  file: [...OF_BOTH, 'metadata.labels', 'metadata.annotations'],
} as const;
const ENTRY = /^metadata\.(labels|annotations)\['[^']+'\]$/;

/** `path`: of the fieldRef. */
export function checkFieldRef(
  { fieldPath }: { readonly fieldPath: string },
  where: keyof typeof FIELDS,
  path: FieldPath,
  { error }: CheckContext,
): void {
  const fields = FIELDS[where];
  if (fields.includes(fieldPath) || ENTRY.test(fieldPath)) return;
  const close = suggest(fieldPath, fields);
  error(
    'InvalidValue',
    [...path, 'fieldPath'],
    `must be ${oneOf([...fields, "metadata.labels['KEY']", "metadata.annotations['KEY']"])}, found ${fieldPath}`,
    close && `did you mean ${close}?`,
  );
}

const RESOURCES = ['limits', 'requests'].flatMap((list) =>
  ['cpu', 'memory', 'ephemeral-storage'].map((resource) => `${list}.${resource}`),
);
const HUGE_PAGES = /^(limits|requests)\.hugepages-./;
const CPU_DIVISORS = ['1m', '1'];
const BYTE_DIVISORS = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** `containers`: the pod's; undefined in an environment, where none need be named. `path`: of the resourceFieldRef. */
export function checkResourceFieldRef(
  { resource, divisor, containerName }: ResourceFieldRef,
  containers: ReadonlySet<string>,
  where: keyof typeof FIELDS,
  path: FieldPath,
  { error, closest }: CheckContext,
): void {
  if (!RESOURCES.includes(resource) && !HUGE_PAGES.test(resource)) {
    const close = suggest(resource, RESOURCES);
    error(
      'InvalidValue',
      [...path, 'resource'],
      `must be ${oneOf([...RESOURCES, 'limits.hugepages-SIZE', 'requests.hugepages-SIZE'])}, found ${resource}`,
      close && `did you mean ${close}?`,
    );
  }
  const divisors = resource.endsWith('.cpu') ? CPU_DIVISORS : BYTE_DIVISORS;
  const isOne = (quantity: string): boolean =>
    parseQuantity(quantity) === 0 || divisors.some((one) => parseQuantity(one) === parseQuantity(quantity));
  if (divisor !== undefined && !isOne(divisor))
    error('InvalidValue', [...path, 'divisor'], `must be ${oneOf(divisors)}, found ${divisor}`);
  if (containerName === undefined) {
    if (where === 'file') error('MissingField', [...path, 'containerName'], 'is required in a volume');
  } else if (!containers.has(containerName)) {
    const close = closest(containerName, () => [...containers]);
    error(
      'InvalidValue',
      [...path, 'containerName'],
      `names the container ${containerName}, which this pod does not have`,
      close && `did you mean ${close}?`,
    );
  }
}

/**
 * Rules between the fields of one object. Source: Kubernetes' own validation, pkg/apis/core/validation and
 * pkg/apis/apps/validation.
 */
import { KINDS, readKey, type KubeObject } from '../../../../contracts/objects/index.ts';
import { ORIGIN_ANNOTATION, SOURCE_ANNOTATION } from '../../diff/types.ts';
import { podTemplateOf } from '../pod-templates.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkCluster } from './check-cluster.ts';
import { checkConfigMap, checkSecret } from './check-config.ts';
import { checkPod } from './check-pod.ts';
import { checkService } from './check-service.ts';
import { checkResources } from './check-resources.ts';
import { checkSchedulerPlugin } from './check-scheduler-plugin.ts';
import {
  checkDeschedulerPolicy,
  checkDisruptionBudget,
  checkPriorityClass,
  checkSchedulerConfiguration,
} from './check-scheduling.ts';
import { checkDeployment, checkReplicaSet } from './check-workloads.ts';
import type { CheckContext } from './context.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** RFC 1035: what a Service's name must be, as it becomes a DNS name. */
const LETTER_FIRST_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const MAX_LABEL = 63;
/** Bytes of all annotations' keys and values together. Source: Kubernetes, TotalAnnotationSizeLimitB. */
const MAX_ANNOTATION_BYTES = 256 * 1024;
/** What nodes have and containers cannot ask for. */
const NODE_RESOURCES = ['pods'];

/** Checks an object whose shape is right. */
export function checkObject(object: KubeObject, context: CheckContext): void {
  checkMetadata(object, context);
  const template = podTemplateOf(object);
  if (template) checkPod(template, context);
  if (object.kind === 'Deployment' || object.kind === 'ReplicaSet') {
    checkAnnotations(
      object.spec.template.metadata.annotations,
      ['spec', 'template', 'metadata', 'annotations'],
      context,
    );
  }
  switch (object.kind) {
    case 'Deployment':
      return checkDeployment(object, context);
    case 'ReplicaSet':
      return checkReplicaSet(object, context);
    case 'Service':
      return checkService(object, context);
    case 'ConfigMap':
      return checkConfigMap(object, context);
    case 'Secret':
      return checkSecret(object, context);
    case 'Cluster':
      return checkCluster(object, context);
    case 'Machine':
      checkResources(
        { limits: object.spec.capacity },
        ['spec'],
        { limits: 'capacity', others: NODE_RESOURCES },
        context,
      );
      return checkResources(
        { limits: object.spec.reserved },
        ['spec'],
        { limits: 'reserved', others: NODE_RESOURCES },
        context,
      );
    case 'PriorityClass':
      return checkPriorityClass(object, context);
    case 'PodDisruptionBudget':
      return checkDisruptionBudget(object, context);
    case 'KubeSchedulerConfiguration':
      return checkSchedulerConfiguration(object, context);
    case 'DeschedulerPolicy':
      return checkDeschedulerPolicy(object, context);
    case 'SchedulerPlugin':
      return checkSchedulerPlugin(object, context);
    case 'Namespace':
    case 'Pod':
    case 'Source':
    case 'Node':
    case 'EndpointSlice':
    case 'Event':
    case 'PodGroup':
    case 'ServiceAccount':
      return;
  }
}

function checkMetadata(object: KubeObject, context: CheckContext): void {
  const { error, has } = context;
  const { kind, metadata } = object;
  checkAnnotations(metadata.annotations, ['metadata', 'annotations'], context);
  if (!KINDS[kind].namespaced && has(['metadata', 'namespace'])) {
    error(
      'NamespaceNotAllowed',
      ['metadata', 'namespace'],
      `may not be set: ${kind} objects are in no namespace`,
      'remove it',
    );
  }
  if (metadata.namespace !== undefined && KINDS[kind].namespaced && !isLabel(metadata.namespace, LABEL)) {
    error(
      'InvalidValue',
      ['metadata', 'namespace'],
      "must consist of lower case letters, digits and '-', at most 63 characters",
    );
  }
  if (kind === 'Namespace' && !isLabel(metadata.name, LABEL)) {
    error(
      'InvalidValue',
      ['metadata', 'name'],
      "must consist of lower case letters, digits and '-', at most 63 characters",
    );
  }
  if (kind === 'Service' && !isLabel(metadata.name, LETTER_FIRST_LABEL)) {
    error(
      'InvalidValue',
      ['metadata', 'name'],
      "must consist of lower case letters, digits and '-', start with a letter, and have at most 63 characters",
    );
  }
  for (const annotation of [SOURCE_ANNOTATION, ORIGIN_ANNOTATION]) {
    if (readKey(metadata.annotations, annotation) !== undefined) {
      error('ReservedAnnotation', ['metadata', 'annotations', annotation], 'is set by Plumbline', 'remove it');
    }
  }
}

function checkAnnotations(
  annotations: Readonly<Record<string, string>> = {},
  path: FieldPath,
  { error }: CheckContext,
): void {
  const bytes = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > MAX_ANNOTATION_BYTES)
    error('InvalidValue', path, `must have at most ${MAX_ANNOTATION_BYTES} bytes in all, found ${bytes}`);
}

function isLabel(name: string, pattern: RegExp): boolean {
  return name.length <= MAX_LABEL && pattern.test(name);
}

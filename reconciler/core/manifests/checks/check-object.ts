/**
 * Rules between the fields of one object. Source: Kubernetes' own validation, pkg/apis/core/validation and
 * pkg/apis/apps/validation.
 */
import { CONFIG_HASH, KINDS, readKey, type KubeObject, type ObjectMeta } from '../../../../contracts/objects/index.ts';
import { PRUNE_ANNOTATION } from '../../diff/prune-rules.ts';
import { HOOK, isWave, SYNC_WAVE, unknownHooks } from '../../diff/sync-order.ts';
import { ORIGIN_ANNOTATION, SOURCE_ANNOTATION } from '../../diff/types.ts';
import { descriptorOf } from '../../kinds/index.ts';
import { podTemplateOf } from '../../kinds/pod-template.ts';
import { CONFIG_UPDATE } from '../../workloads/config-hash.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkPod } from './check-pod.ts';
import type { CheckContext } from './context.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** RFC 1035: what a Service's name must be, as it becomes a DNS name. */
const LETTER_FIRST_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const MAX_LABEL = 63;
/** Bytes of all annotations' keys and values together. Source: Kubernetes, TotalAnnotationSizeLimitB. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** Checks an object whose shape is right. */
export function checkObject(object: KubeObject, context: CheckContext): void {
  checkMetadata(object, context);
  const { check, podTemplate } = descriptorOf(object.kind);
  const template = podTemplateOf(object);
  if (template) checkPod(template, context);
  if (podTemplate !== 'none' && podTemplate.path.length > 0) {
    const path = [...podTemplate.path, 'metadata', 'annotations'];
    const { annotations } = podTemplate.of(object).metadata;
    checkAnnotations(annotations, path, context);
    if (readKey(annotations, CONFIG_HASH) !== undefined)
      context.error('ReservedAnnotation', [...path, CONFIG_HASH], 'is set by Plumbline', 'remove it');
  }
  if (check !== 'by its schema') check.object(object, context);
}

function checkMetadata(object: KubeObject, context: CheckContext): void {
  const { error, has } = context;
  const { kind, metadata } = object;
  checkOwnAnnotations(metadata, context);
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
}

/** Those of an object itself, of whatever kind. */
export function checkOwnAnnotations({ annotations }: ObjectMeta, context: Pick<CheckContext, 'error'>): void {
  checkAnnotations(annotations, ['metadata', 'annotations'], context);
  const update = readKey(annotations, CONFIG_UPDATE);
  if (update !== undefined && update !== 'in-place')
    context.error(
      'InvalidValue',
      ['metadata', 'annotations', CONFIG_UPDATE],
      `must be in-place, found ${update}`,
      'without it a changed ConfigMap or Secret is a rollout',
    );
  const wave = readKey(annotations, SYNC_WAVE);
  if (wave !== undefined && !isWave(wave))
    context.error('InvalidValue', ['metadata', 'annotations', SYNC_WAVE], `must be a whole number, found ${wave}`);
  for (const word of unknownHooks(readKey(annotations, HOOK) ?? ''))
    context.error(
      'InvalidValue',
      ['metadata', 'annotations', HOOK],
      `there is no hook ${word}`,
      'there are PreSync, Sync, PostSync, SyncFail and Skip',
    );
  const prune = readKey(annotations, PRUNE_ANNOTATION);
  if (prune !== undefined && prune !== 'disabled' && prune !== 'confirm')
    context.error(
      'InvalidValue',
      ['metadata', 'annotations', PRUNE_ANNOTATION],
      `must be disabled or confirm, found ${prune}`,
      'without it the object goes with its manifest',
    );
  for (const annotation of [SOURCE_ANNOTATION, ORIGIN_ANNOTATION]) {
    if (readKey(annotations, annotation) !== undefined) {
      context.error('ReservedAnnotation', ['metadata', 'annotations', annotation], 'is set by Plumbline', 'remove it');
    }
  }
}

function checkAnnotations(
  annotations: Readonly<Record<string, string>> = {},
  path: FieldPath,
  { error }: Pick<CheckContext, 'error'>,
): void {
  const bytes = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > MAX_ANNOTATION_BYTES)
    error('InvalidValue', path, `must have at most ${MAX_ANNOTATION_BYTES} bytes in all, found ${bytes}`);
}

/** Whether a namespace may have this name. */
export function isNamespaceName(name: string): boolean {
  return isLabel(name, LABEL);
}

function isLabel(name: string, pattern: RegExp): boolean {
  return name.length <= MAX_LABEL && pattern.test(name);
}

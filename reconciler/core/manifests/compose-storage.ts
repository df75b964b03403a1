/** Claims against the classes and volumes that there are. */
import { isKeyOf, parseKey, readKey, type ObjectKey, type StorageClass } from '../../../contracts/objects/index.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import { StorageClasses } from '../volumes/class.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState, Position } from './types.ts';
import { pathText, type FieldPath } from './yaml-tree.ts';

/** How a claim named its class before it had a field for it; Kubernetes still reads it, and it goes before the field. */
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

interface WrittenClaim {
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly className: string | undefined;
  readonly volumeName: string | undefined;
  /** Of the claim in its object. */
  readonly path: FieldPath;
}

/**
 * Warns of a claim whose class is neither in a manifest nor built in, and that no volume in a manifest has: it waits. A
 * class that is named in an annotation alone is an error, as another one would be taken.
 */
export function checkStorage(state: DesiredState, declared: ReadonlySet<ObjectKey>, tell: Tell): void {
  const classes = new StorageClasses(
    [...state.values()].flatMap(({ object }): StorageClass[] => (object.kind === 'StorageClass' ? [object] : [])),
  );
  const known = new Set([
    '',
    ...[...declared].filter((key) => isKeyOf(key, 'StorageClass')).map((key) => parseKey(key).name),
    ...[...state.values()].flatMap(({ object }) =>
      object.kind === 'PersistentVolume' ? [object.spec.storageClassName ?? ''] : [],
    ),
  ]);
  for (const desired of state.values())
    for (const { annotations, className, volumeName, path } of claimsOf(desired)) {
      const annotated = readKey(annotations, CLASS_ANNOTATION);
      if (annotated !== undefined && annotated !== className) {
        const at = [...path, 'metadata', 'annotations', CLASS_ANNOTATION];
        tell(
          'error',
          'InvalidValue',
          placeOf(desired, path, ['metadata', 'name']),
          `${pathText(at)} is not read`,
          `write spec.storageClassName: ${annotated}`,
        );
        continue;
      }
      if (className === undefined || volumeName !== undefined || known.has(className) || classes.named(className))
        continue;
      const at = [...path, 'spec', 'storageClassName'];
      tell(
        'warning',
        'MissingReference',
        placeOf(desired, path, at),
        `${pathText(at)} names StorageClass ${className}, which is in no manifest`,
        'its claim waits until there is such a class or volume; local, local-path and local-enforced are always there, and a claim that names no class gets the default one',
      );
    }
}

/** Of a claim inside of another object only the object's `spec` has its place kept. */
function placeOf(desired: DesiredObject, claim: FieldPath, field: FieldPath): Position {
  return positionOf(desired, ...(claim.length > 0 ? ['spec'] : field));
}

function claimsOf({ object }: DesiredObject): readonly WrittenClaim[] {
  if (object.kind === 'PersistentVolumeClaim') {
    const { metadata, spec } = object;
    return [
      {
        annotations: metadata.annotations,
        className: spec.storageClassName,
        volumeName: spec.volumeName,
        path: [],
      },
    ];
  }
  const ofTemplates =
    object.kind === 'StatefulSet'
      ? (object.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }, i) => ({
          annotations: metadata.annotations,
          className: spec.storageClassName,
          volumeName: spec.volumeName,
          path: ['spec', 'volumeClaimTemplates', i],
        }))
      : [];
  const template = podTemplateOf(object);
  const ephemeral = (template?.spec.volumes ?? []).flatMap((volume, i) =>
    'ephemeral' in volume && volume.ephemeral
      ? [
          {
            annotations: volume.ephemeral.volumeClaimTemplate.metadata?.annotations,
            className: volume.ephemeral.volumeClaimTemplate.spec.storageClassName,
            volumeName: volume.ephemeral.volumeClaimTemplate.spec.volumeName,
            path: [...(template?.path ?? []), 'volumes', i, 'ephemeral', 'volumeClaimTemplate'],
          },
        ]
      : [],
  );
  return [...ofTemplates, ...ephemeral];
}

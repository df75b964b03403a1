/** What is told of a definition, and when it goes. Source: Kubernetes, apiextensions-apiserver/pkg/controller (establish, status, finalizer). */
import {
  CRD_FINALIZER,
  keyOf,
  withCondition,
  type CustomResourceDefinition,
  type KindRegistry,
  type StoredCustomResourceDefinition,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import { equal } from '../fields/json.ts';
import type { AnyStep } from '../step.ts';

/**
 * The steps that bring a definition on: its finalizer first, so that it never goes before its objects; then whether its
 * kind is there. One that is being deleted deletes its objects, and goes when the last is gone. `objects`: all of its
 * resource; `now`: RFC 3339.
 */
export function planDefinition(
  definition: StoredCustomResourceDefinition,
  objects: readonly StoredUnstructured[],
  kinds: KindRegistry,
  now: string,
): readonly AnyStep[] {
  const { metadata } = definition;
  const finalizers = metadata.finalizers ?? [];
  if (metadata.deletionTimestamp !== undefined) {
    if (objects.length > 0)
      return objects
        .filter((object) => object.metadata.deletionTimestamp === undefined)
        .map((object) => ({ do: 'delete', key: keyOf(object), uid: object.metadata.uid }));
    if (!finalizers.includes(CRD_FINALIZER)) return [];
    return [
      withFinalizers(
        definition,
        finalizers.filter((name) => name !== CRD_FINALIZER),
      ),
    ];
  }
  const held = finalizers.includes(CRD_FINALIZER) ? [] : [withFinalizers(definition, [...finalizers, CRD_FINALIZER])];
  const status = statusOf(definition, kinds, now);
  // The second write of a pass to one object builds on the first.
  return equal(status, definition.status) ? held : [...held, { do: 'updateStatus', object: { ...definition, status } }];
}

function withFinalizers(definition: StoredCustomResourceDefinition, finalizers: string[]): AnyStep {
  return { do: 'update', object: { ...definition, metadata: { ...definition.metadata, finalizers } } };
}

function statusOf(
  { metadata, spec, status: before }: StoredCustomResourceDefinition,
  kinds: KindRegistry,
  now: string,
): NonNullable<CustomResourceDefinition['status']> {
  const { names, group } = spec;
  const isIts = kinds.ofResource(metadata.name)?.kind === names.kind;
  const accepted = isIts
    ? ({ status: 'True', reason: 'NoConflicts', message: 'no conflicts found' } as const)
    : ({
        status: 'False',
        reason: 'KindConflict',
        message: `another definition, or Plumbline itself, has the kind ${names.kind} of group ${group}`,
      } as const);
  const established = isIts
    ? ({ status: 'True', reason: 'InitialNamesAccepted', message: 'the kind is there' } as const)
    : ({ status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' } as const);
  const conditions = withCondition(
    withCondition(before?.conditions, { type: 'NamesAccepted', ...accepted }, now),
    { type: 'Established', ...established },
    now,
  );
  const stored = spec.versions.filter(({ storage }) => storage).map(({ name }) => name);
  return {
    conditions,
    acceptedNames: names,
    storedVersions: [...new Set([...(before?.storedVersions ?? []), ...stored])],
  };
}

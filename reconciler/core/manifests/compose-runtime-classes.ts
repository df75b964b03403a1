/** Pods against the RuntimeClasses that they name: what would never be made is refused with its commit. */
import {
  namesOf,
  objectKey,
  type ObjectKey,
  type PodSpec,
  type RuntimeClass,
} from '../../../contracts/objects/index.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import { classObjection } from '../runtime-classes/pod-class.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { Suggestions } from './suggest.ts';
import type { DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

/** The class that such a pod names, where it is in the commit. */
export function classOf({ runtimeClassName }: PodSpec, state: DesiredState): RuntimeClass | undefined {
  if (runtimeClassName === undefined) return undefined;
  const object = state.get(objectKey('RuntimeClass', undefined, runtimeClassName))?.object;
  return object?.kind === 'RuntimeClass' ? object : undefined;
}

/** `declared`: also what was refused. */
export function checkRuntimeClasses(
  state: DesiredState,
  declared: ReadonlySet<ObjectKey>,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const names = new Set(namesOf('RuntimeClass', declared));
  for (const desired of state.values()) {
    const template = podTemplateOf(desired.object);
    if (!template) continue;
    const { runtimeClassName: name } = template.spec;
    if (name !== undefined && !names.has(name)) {
      const close = suggestions.closest(name, () => [...names]);
      const path = [...template.path, 'runtimeClassName'];
      tell(
        'error',
        'UnknownRuntimeClass',
        positionOf(desired, ...path),
        `${pathText(path)} names RuntimeClass ${name}, which is in no manifest`,
        close ? `did you mean ${close}?` : 'add a manifest of kind RuntimeClass with this name',
      );
      continue;
    }
    const runtimeClass = classOf(template.spec, state);
    // One that was refused is told of itself.
    if (name !== undefined && !runtimeClass) continue;
    const why = classObjection(template.spec, runtimeClass);
    if (why === undefined) continue;
    tell(
      'error',
      'RuntimeClassConflict',
      positionOf(desired, ...template.path),
      `${pathText(template.path)}: ${why}`,
      name === undefined ? 'leave out overhead, or name a runtimeClassName' : `change it, or RuntimeClass ${name}`,
    );
  }
}

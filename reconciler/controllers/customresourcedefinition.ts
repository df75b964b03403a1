/** CustomResourceDefinitions: told whether their kind is there; with one go its objects. See core/kinds/established.ts. */
import {
  objectKey,
  parseKey,
  RESOURCE,
  type AnyKey,
  type ObjectKey,
  type StoredUnstructured,
} from '../../contracts/objects/index.ts';
import { planDefinition } from '../core/kinds/established.ts';
import { kubeTime } from '../core/storage/object-form.ts';
import type { AnyDecision } from '../core/step.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

const NOTHING: AnyDecision = { steps: [] };

function decide(key: ObjectKey, { view, now }: PassContext): AnyDecision {
  const definition = view.get(objectKey('CustomResourceDefinition', undefined, parseKey(key).name));
  if (!definition) return NOTHING;
  const objects = view.custom.list(definition.metadata.name);
  return { steps: planDefinition(definition, objects, view.custom.kinds, kubeTime(now)) };
}

/** The definition that goes when this object has gone. */
function endingDefinition(object: StoredUnstructured, view: StoreView): readonly AnyKey[] {
  const key = objectKey('CustomResourceDefinition', undefined, object[RESOURCE]);
  return view.get(key)?.metadata.deletionTimestamp === undefined ? [] : [key];
}

/** Whose kind may be free, or taken, since this one changed. */
function others(_definition: unknown, view: StoreView): readonly AnyKey[] {
  return view
    .list('CustomResourceDefinition')
    .filter(({ status }) => status?.conditions.some((condition) => condition.status === 'False') === true)
    .map(({ metadata }) => objectKey('CustomResourceDefinition', undefined, metadata.name));
}

export const customResourceDefinitionController: Controller = {
  name: 'customresourcedefinition-controller',
  kind: 'CustomResourceDefinition',
  watches: { CustomResourceDefinition: others },
  decide,
  custom: {
    concerns: () => false,
    watch: endingDefinition,
    decide: () => NOTHING,
  },
};

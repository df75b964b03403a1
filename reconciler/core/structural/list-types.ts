/**
 * Lists whose entries are told apart: no value of a `set` and no key of a `map` is there twice. Source: Kubernetes,
 * apiextensions-apiserver/pkg/apiserver/schema/listtype/validation.go; there an object that broke the rule before it was
 * changed is let pass.
 */
import { readKey } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from '../fields/json.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { MAX_LIST_KEYS, type Budget } from './limits.ts';

export interface ListIssue {
  /** Of the entry. */
  readonly at: number;
  readonly code: 'WrongType' | 'InvalidValue';
  readonly message: string;
}

/** What is wrong with the list by its `x-kubernetes-list-type`; of a value that is there many times, the second entry. */
export function* listIssues(schema: JsonObject, list: readonly unknown[], budget: Budget): Generator<ListIssue> {
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      yield* repeated(list, budget, 'is there twice: this list is a set');
      return;
    case 'map': {
      const told = schema['x-kubernetes-list-map-keys'];
      const names = isList(told) ? told.filter((key) => typeof key === 'string').slice(0, MAX_LIST_KEYS) : [];
      const stranger = list.findIndex((entry) => !isObject(entry) && entry !== null);
      if (stranger >= 0) {
        yield { at: stranger, code: 'WrongType', message: 'must be a map' };
        return;
      }
      const message = `is there twice: entries of this list are told apart by ${names.join(' and ')}`;
      const keys = list.map((entry) =>
        isObject(entry) ? Object.fromEntries(names.map((name) => [name, readKey(entry, name)])) : {},
      );
      yield* repeated(keys, budget, message);
      return;
    }
    default:
  }
}

function* repeated(values: readonly unknown[], budget: Budget, message: string): Generator<ListIssue> {
  const times = new Map<string, number>();
  for (const [at, value] of values.entries()) {
    const text = canonicalJson(value);
    if (!budget.takeFor(text)) return;
    const before = times.get(text) ?? 0;
    times.set(text, before + 1);
    if (before === 1) yield { at, code: 'InvalidValue', message };
  }
}

/** What controllers without a place for it in their status make of pods that admission refused. */
import { objectKey, parseKey, type Kind } from '../../contracts/objects/index.ts';
import { tellRefused } from '../core/workloads/refused-pods.ts';
import type { Controller } from './runtime/controller.ts';

/** An event on the owner, and another try. */
export function tellRefusedOf(kind: Kind): NonNullable<Controller['refused']> {
  return (key, refused, { view }) => {
    const { namespace, name } = parseKey(key);
    return tellRefused(view.get(objectKey(kind, namespace, name)), refused);
  };
}

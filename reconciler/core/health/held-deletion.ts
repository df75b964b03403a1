/** Health of an object that is being deleted and that finalizers hold: whom it waits for, and what to do. */
import {
  CRD_FINALIZER,
  FOREGROUND_FINALIZER,
  NAMESPACE_FINALIZER,
  ORPHAN_FINALIZER,
  type AnyObject,
} from '../../../contracts/objects/index.ts';
import { progressing, type Health } from './health.ts';

/** What is done here before a finalizer of our own is removed. */
const OURS: ReadonlyMap<string, string> = new Map([
  [FOREGROUND_FINALIZER, 'what it owns goes first'],
  [ORPHAN_FINALIZER, 'what it owns is let go of first'],
  [NAMESPACE_FINALIZER, 'what is in it goes first, pods before all else'],
  [CRD_FINALIZER, 'the objects of its kind go first'],
]);

/** Undefined for an object that is not being deleted, or that no finalizer holds. */
export function heldDeletion({ metadata }: AnyObject): Health | undefined {
  const { deletionTimestamp, finalizers = [] } = metadata;
  if (deletionTimestamp === undefined || finalizers.length === 0) return undefined;
  const others = finalizers.filter((name) => !OURS.has(name));
  const reasons = finalizers.flatMap((name) => OURS.get(name) ?? []);
  if (others.length > 0)
    reasons.push(
      `it waits for ${others.length === 1 ? 'the finalizer' : 'the finalizers'} ${others.join(', ')}, removed by whoever set ${others.length === 1 ? 'it' : 'them'}; if nobody does any more, commit \`spec.sync.abandonedFinalizers: [${others.join(', ')}]\` in the Cluster`,
    );
  return progressing(`is being deleted: ${reasons.join('; ')}`);
}

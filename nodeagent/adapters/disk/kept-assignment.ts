/**
 * Reads what was kept of an assignment. Undefined for text that has not the shape: a version that is not whole is not to
 * be told as held.
 *
 * What agents before this one kept is read too: their keys had no group and the kind in place of the resource. Objects
 * of kinds that are not known here are left out: an agent of another version may have been sent them.
 */
import { keyFromOlder } from '../../../contracts/objects/key.ts';
import { isAssignedObject, isOfKnownKind, isRecord } from '../../core/assigned-object.ts';
import type { AssignmentChange, StoredAssignment } from '../../ports/assignment-disk.ts';

export interface Snapshot extends StoredAssignment {
  /** Number of the last change that is in it. */
  readonly seq: number;
}

export interface JournalLine extends AssignmentChange {
  readonly seq: number;
}

/** By key of the Secret. */
export type SecretData = Record<string, Readonly<Record<string, string>>>;

export function readSnapshot(text: string): Snapshot | undefined {
  const value = parsed(text);
  if (!value) return undefined;
  const { version, node, objects } = value;
  const [seq, epoch] = [count(value['seq']), count(value['epoch'])];
  if (seq === undefined || epoch === undefined || typeof node !== 'string') return undefined;
  if ((version !== null && typeof version !== 'string') || !isListOf(objects, isAssignedObject)) return undefined;
  return { seq, epoch, version, node, objects: objects.filter(isOfKnownKind) };
}

export function readJournalLine(text: string): JournalLine | undefined {
  const value = parsed(text);
  if (!value) return undefined;
  const { version, node, whole, upsert, remove } = value;
  const [seq, epoch] = [count(value['seq']), count(value['epoch'])];
  if (seq === undefined || epoch === undefined || typeof version !== 'string') return undefined;
  if (typeof node !== 'string' || typeof whole !== 'boolean') return undefined;
  if (!isListOf(upsert, isAssignedObject) || !isListOf(remove, isText)) return undefined;
  return {
    seq,
    epoch,
    version,
    node,
    whole,
    upsert: upsert.filter(isOfKnownKind),
    remove: remove.flatMap((key) => keyFromOlder(key) ?? []),
  };
}

export function readSecretData(text: string): SecretData | undefined {
  const value = parsed(text);
  if (!value || !Object.values(value).every(isData)) return undefined;
  return Object.fromEntries(
    Object.entries(value as SecretData).flatMap(([kept, data]) => {
      const key = keyFromOlder(kept);
      return key === undefined ? [] : [[key, data]];
    }),
  );
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(is);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isData(value: unknown): value is Readonly<Record<string, string>> {
  return isRecord(value) && Object.values(value).every(isText);
}

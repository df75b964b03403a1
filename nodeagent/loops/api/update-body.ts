/** Reads the body of `POST /v1/assignment`. */
import type { AssignmentUpdate } from '../../../contracts/agent/index.ts';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { keyFromOlder } from '../../../contracts/objects/key.ts';
import { isAssignedObject, isOfKnownKind, isRecord } from '../../core/assigned-object.ts';
import { ApiError } from './answers.ts';

export function parseUpdate(text: string): AssignmentUpdate {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw bad('the body is no JSON');
  }
  if (!isRecord(body)) throw bad('the body is no object');
  const { epoch, node, from, to, upsert, remove } = body;
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch)) throw bad('epoch is no integer');
  if (typeof node !== 'string' || node === '') throw bad('node is no name');
  if (from !== null && typeof from !== 'string') throw bad('from is neither a version nor null');
  if (typeof to !== 'string' || to === '') throw bad('to is no version');
  if (!Array.isArray(upsert) || !upsert.every(isWhole)) throw bad('upsert is no list of objects');
  if (!Array.isArray(remove) || !remove.every(isKeyText)) throw bad('remove is no list of object keys');
  return {
    epoch,
    node,
    from,
    to,
    upsert: upsert.filter(isOfKnownKind),
    // A push of an older control plane may still be under way when its agent was replaced.
    remove: remove.flatMap((key) => keyFromOlder(key) ?? []),
  };
}

function isKeyText(value: unknown): value is string {
  return typeof value === 'string' && /^[^/]+\/[^/]*\/[^/]+$/.test(value);
}

function isWhole(value: unknown): value is KubeObject {
  return isAssignedObject(value) && (value.kind !== 'Secret' || isRecord(value.data));
}

function bad(what: string): ApiError {
  return new ApiError(400, 'BadRequest', `the assignment cannot be read: ${what}`);
}

/**
 * Reads the body of `POST /v1/assignment`. By hand, not by schema: the validator would cost the agent a fifth of its
 * memory. The objects inside were parsed by the control plane at its own boundary; here only what the agent stands on
 * is looked at.
 */
import type { AssignmentUpdate } from '../../../contracts/agent/index.ts';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { kindOf } from '../../../contracts/objects/identity.ts';
import { keyFromOlder } from '../../../contracts/objects/key.ts';
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
  if (!Array.isArray(upsert) || !upsert.every(isObject)) throw bad('upsert is no list of objects');
  if (!Array.isArray(remove) || !remove.every(isKeyText)) throw bad('remove is no list of object keys');
  return {
    epoch,
    node,
    from,
    to,
    upsert: upsert.filter(isKnown),
    // A push of an older control plane may still be under way when its agent was replaced.
    remove: remove.flatMap((key) => keyFromOlder(key) ?? []),
  };
}

/** A control plane of another version may send kinds that this agent has no use for. Another group's Pod is no pod. */
function isKnown({ apiVersion, kind }: KubeObject): boolean {
  return kindOf(apiVersion, kind) !== undefined;
}

function isKeyText(value: unknown): value is string {
  return typeof value === 'string' && /^[^/]+\/[^/]*\/[^/]+$/.test(value);
}

function isObject(value: unknown): value is KubeObject {
  if (
    !isRecord(value) ||
    typeof value['apiVersion'] !== 'string' ||
    typeof value['kind'] !== 'string' ||
    !isRecord(value['metadata']) ||
    typeof value['metadata']['name'] !== 'string'
  )
    return false;
  switch (value['kind']) {
    case 'Pod':
      return (
        typeof value['metadata']['uid'] === 'string' &&
        isUid(value['metadata']['uid']) &&
        isRecord(value['spec']) &&
        Array.isArray(value['spec']['containers'])
      );
    case 'Secret':
      return isRecord(value['data']);
    default:
      return true;
  }
}

/** A uid names folders and cgroups: it must not lead anywhere else. */
function isUid(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(text);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(what: string): ApiError {
  return new ApiError(400, 'BadRequest', `the assignment cannot be read: ${what}`);
}

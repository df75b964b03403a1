/**
 * Whether JSON is an object of an assignment. By hand, not by schema: the validator would cost the agent a fifth of its
 * memory. The objects were parsed by the control plane at its own boundary; here only what the agent stands on is looked
 * at.
 */
import type { KubeObject } from '../../contracts/objects/index.ts';
import { kindOf } from '../../contracts/objects/identity.ts';

/** Of any kind; a Secret may be without its data. */
export function isAssignedObject(value: unknown): value is KubeObject {
  if (
    !isRecord(value) ||
    typeof value['apiVersion'] !== 'string' ||
    typeof value['kind'] !== 'string' ||
    !isRecord(value['metadata']) ||
    typeof value['metadata']['name'] !== 'string'
  )
    return false;
  if (value['kind'] !== 'Pod') return true;
  return (
    typeof value['metadata']['uid'] === 'string' &&
    isUid(value['metadata']['uid']) &&
    isRecord(value['spec']) &&
    Array.isArray(value['spec']['containers'])
  );
}

/** A control plane of another version may send kinds that this agent has no use for. Another group's Pod is no pod. */
export function isOfKnownKind({ apiVersion, kind }: KubeObject): boolean {
  return kindOf(apiVersion, kind) !== undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A uid names folders and cgroups: it must not lead anywhere else. */
function isUid(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(text);
}

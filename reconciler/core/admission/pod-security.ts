/**
 * The Pod Security Standard that a namespace enforces. Source: Kubernetes, pod-security-admission/admission/admission.go
 * (ValidatePod). Exempt is nobody.
 */
import { objectKey, type AnyObject } from '../../../contracts/objects/index.ts';
import { containersOf, type SecuredSpec } from '../pod-security/check.ts';
import { policyOf } from '../pod-security/policy.ts';
import { violated } from '../pod-security/violations.ts';
import { isPod } from './pods.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

/** A pod that runs stays, whatever its namespace comes to enforce; what would run in it anew is judged. */
export function securePod(object: AnyObject, request: CreateRequest | UpdateRequest): Refusal | undefined {
  if (!isPod(object)) return undefined;
  const { namespace = '' } = object.metadata;
  const { enforce } = policyOf(request.view.get(objectKey('Namespace', undefined, namespace))?.metadata.labels);
  if (enforce.level === 'privileged') return undefined;
  if (request.operation !== 'create' && isPod(request.old) && !runsAnew(object.spec, request.old.spec))
    return undefined;
  const why = violated(enforce, { annotations: object.metadata.annotations ?? {}, spec: object.spec });
  return why === undefined ? undefined : { reason: 'Forbidden', message: `violates ${why}` };
}

/** Whether an update brings an image into the pod: that of a container that is new, or another one. */
function runsAnew(spec: SecuredSpec, old: SecuredSpec): boolean {
  if (spec === old) return false;
  const before = new Map(containersOf(old).map(({ name, image }) => [name, image]));
  return containersOf(spec).some(({ name, image }) => before.get(name) !== image);
}

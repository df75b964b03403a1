/** Pods that admission refuses: an owner tells why it has fewer than it wants, and tries again. */
import { displayKey, keyOf, type AnyObject, type KubeObject } from '../../../contracts/objects/index.ts';
import type { AnyStep, Decision, Step } from '../step.ts';

/** A write that was refused; the writer's problem is one. */
export interface RefusedWrite {
  readonly step: Exclude<AnyStep, { readonly do: 'event' }>;
  /** Begins with what was written. */
  readonly message: string;
}

/** What let it be refused (a quota, a namespace's label) may change without a word to its owner. */
const AGAIN_MS = 15_000;

/** Why the first was refused, without the name that the pod would have had: it has another one each time. */
export function whyRefused([first]: readonly RefusedWrite[]): string {
  if (!first) return '';
  const { step, message } = first;
  const key = displayKey(step.do === 'delete' ? step.key : keyOf(step.object satisfies AnyObject));
  const said = `${step.do} ${key}: `;
  return message.startsWith(said) ? message.slice(said.length) : message;
}

/** An event of Kubernetes' controllers. Source: pkg/controller/controller_utils.go (FailedCreatePodReason). */
function refusedEvent(owner: KubeObject, refused: readonly RefusedWrite[]): Step {
  return {
    do: 'event',
    regarding: owner,
    type: 'Warning',
    reason: isCreation(refused) ? 'FailedCreate' : 'FailedDelete',
    message: `Error ${isCreation(refused) ? 'creating' : 'deleting'}: ${whyRefused(refused)}`,
  };
}

export function isCreation(refused: readonly RefusedWrite[]): boolean {
  return refused.some(({ step }) => step.do !== 'delete');
}

/** Of an owner whose status has no place for it. */
export function tellRefused(owner: KubeObject | undefined, refused: readonly RefusedWrite[]): Decision {
  return { steps: owner ? [refusedEvent(owner, refused)] : [], requeueAfterMs: AGAIN_MS };
}

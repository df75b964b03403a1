/** Objects of Argo CD that bring manifests onto a cluster. Source: Argo CD, argoproj.io/v1alpha1. */
import { textOf, within, type LocatedMap } from '../located.ts';
import { kindsOf, type Patch } from '../kustomize/patch.ts';

const KINDS = new Set(['Application', 'ApplicationSet', 'AppProject']);
const GROUP = 'argoproj.io';

export function isArgo(object: LocatedMap): boolean {
  const kind = textOf(within(object, 'kind')) ?? '';
  return KINDS.has(kind) && (textOf(within(object, 'apiVersion')) ?? '').startsWith(`${GROUP}/`);
}

export function mayHoldArgo(text: string): boolean {
  return text.includes(`${GROUP}/`);
}

export function isArgoDocument(text: string): boolean {
  return (
    /^apiVersion:\s*["']?argoproj\.io\//m.test(text) &&
    /^kind:\s*["']?(?:Application|ApplicationSet|AppProject)["']?\s*$/m.test(text)
  );
}

export function isArgoPatch(patch: Patch): boolean {
  const { group, kind } = kindsOf(patch);
  return KINDS.has(kind) && (group === '' || group === GROUP);
}

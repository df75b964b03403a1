/** Objects of Flux. Source: Flux API reference, kustomize v1, helm v2, source v1. */
import { textOf, within, type LocatedMap } from '../located.ts';
import { kindsOf, type Patch } from '../kustomize/patch.ts';
import type { Found } from '../kustomize/walk.ts';

/** Groups whose objects are read by Flux alone. */
const GROUP = /^(?:[a-z]+\.toolkit\.fluxcd\.io|fluxcd\.controlplane\.io)$/;
const DOCUMENT = /^apiVersion:\s*["']?(?:[a-z]+\.toolkit\.fluxcd\.io|fluxcd\.controlplane\.io)\//m;
/** What `flux bootstrap` writes, and `flux` itself rewrites. */
const BOOTSTRAP = /(?:^|\/)gotk-(?:components|sync|patches)\.yaml$/;

export const DEFAULT_NAMESPACE = 'flux-system';

export function isFlux(object: LocatedMap): boolean {
  return GROUP.test(groupOf(object));
}

export function isFluxDocument(text: string): boolean {
  return DOCUMENT.test(text);
}

export function mayHoldFlux(text: string): boolean {
  return text.includes('fluxcd.');
}

export function isBootstrap(path: string): boolean {
  return BOOTSTRAP.test(path);
}

/** Kinds that people patch without saying their group. */
const KINDS = new Set(['HelmRelease', 'HelmRepository', 'OCIRepository', 'GitRepository']);

/** Whether a patch is about objects that Flux alone reads. */
export function isFluxPatch(patch: Patch): boolean {
  const { group, kind } = kindsOf(patch);
  return GROUP.test(group) || (group === '' && KINDS.has(kind));
}

function groupOf(object: LocatedMap): string {
  return (textOf(within(object, 'apiVersion')) ?? '').split('/')[0] ?? '';
}

export function kindOf({ object }: Found): string {
  return textOf(within(object, 'kind')) ?? '';
}

export function nameOf({ object }: Found): string {
  return textOf(within(object, 'metadata', 'name')) ?? '';
}

export function namespaceOf({ object }: Found): string | undefined {
  return textOf(within(object, 'metadata', 'namespace'));
}

/** By which others name it: the same file may be reached in several ways, as different objects. */
export function keyOf(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

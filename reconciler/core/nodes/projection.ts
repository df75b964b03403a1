/** What of an object a node needs, and which other objects come with it. */
import {
  namedKey,
  type Kind,
  type KubeObject,
  type Node,
  type ObjectKey,
  type Stored,
} from '../../../contracts/objects/index.ts';
import type { Reference } from '../kinds/descriptor.ts';
import { DESCRIPTORS, descriptorOf } from '../kinds/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { nodeForRoutes } from './node-form.ts';

/** Whether every node holds objects of the kind, or those that a pod of its own leads to, or none. */
export function reachOf(kind: Kind): 'shared' | 'followed' | 'none' {
  const { reach } = DESCRIPTORS[kind];
  return reach === 'none' ? 'none' : reach.how;
}

/** The node that holds the object whatever its pods lead to. */
export function homeOf(object: Stored): string | undefined {
  const { reach } = descriptorOf(object.kind);
  return reach === 'none' ? undefined : reach.home?.(object);
}

/**
 * The object as a node gets it; with its resourceVersion, which is no part of {@link projectionText}, and without the
 * owners of its fields, of which a change is nothing to a node.
 */
export function project(object: Stored): KubeObject {
  const { reach } = descriptorOf(object.kind);
  const form = reach === 'none' ? object : reach.form(object);
  if (form.metadata.managedFields === undefined) return form;
  const { managedFields: _owners, ...metadata } = form.metadata;
  return { ...form, metadata };
}

/** A node's own Node: also what its agent holds new pods against. */
export function projectOwnNode(node: Stored<Node>): Node {
  const { metadata, spec, ...rest } = nodeForRoutes(node);
  const { labels } = node.metadata;
  const status = { ...rest.status, ...(node.status?.allocatable && { allocatable: node.status.allocatable }) };
  return {
    ...rest,
    metadata: { ...metadata, ...(labels && { labels }) },
    spec: { ...spec, ...(node.spec.taints && { taints: node.spec.taints }) },
    status,
  };
}

/** Equal for objects that are the same to a node. The generation moves with the spec, which is in it. */
export function projectionText(projected: KubeObject): string {
  const { resourceVersion: _version, generation: _generation, ...metadata } = projected.metadata;
  return canonicalJson({ ...projected, metadata });
}

/** Keys that a node needs because it needs this object. */
export function referencesOf(object: KubeObject): readonly ObjectKey[] {
  const { references } = descriptorOf(object.kind);
  if (references === 'none') return [];
  return keysOf(references.of(object), object.metadata.namespace);
}

/** Keys of what is named and goes to single nodes. `own`: the namespace of the object that names it. */
export function keysOf(references: readonly Reference[], own: string | undefined): readonly ObjectKey[] {
  const named = references.filter(({ kind }) => reachOf(kind) === 'followed');
  return [...new Set(named.map(({ kind, namespace, name }): ObjectKey => namedKey(kind, namespace ?? own, name)))];
}

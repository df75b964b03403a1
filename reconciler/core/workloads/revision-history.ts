/**
 * The history of a DaemonSet or StatefulSet: a ControllerRevision for each template that it has or had, and that a pod
 * may still have. What a revision is is its template; its name is derived from it, so that it is the same after a loss
 * of the store. Source: Kubernetes, pkg/controller/history/controller_history.go; constructHistory and cleanupHistory of
 * pkg/controller/daemon/update.go.
 */
import {
  keyOf,
  selectorMatches,
  type ControllerRevision,
  type LabelSelector,
  type PodTemplateSpec,
  type Stored,
  type StoredControllerRevision,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { adoptingHash } from './config-hash.ts';
import { adoptedBy, compareText, controllerOf, controllerRef } from './owners.ts';
import { lastWithTemplate, templateHash } from './template.ts';

/** Label of a pod and of a revision: which revision. Of a DaemonSet's pods the hash, of a StatefulSet's the name. */
export const REVISION_LABEL = 'controller-revision-hash';
/** What is left of 253 characters for the name of the owner. */
const MAX_OWNER_NAME = 223;

/** A workload whose pods of earlier templates are told apart by their revision. */
export type RevisionOwner = Stored & {
  readonly spec: { readonly selector: LabelSelector; readonly template: PodTemplateSpec };
};

/** A revision never changes: its template is the same one each time, with what is known of it. */
const templates = new WeakMap<object, PodTemplateSpec>();

/** The template that a revision holds. */
export function revisionTemplate({ data }: ControllerRevision): PodTemplateSpec {
  const held = data.spec.template;
  const known = templates.get(held);
  if (known) return known;
  const { $patch: _patch, ...template } = held;
  templates.set(held, template);
  return template;
}

/** Empty for one that no controller made. */
export function revisionHash({ metadata }: ControllerRevision): string {
  return metadata.labels?.[REVISION_LABEL] ?? '';
}

/** The revision of a template under a given hash. */
export function revisionWith(
  owner: Stored,
  template: PodTemplateSpec,
  hash: string,
  revision: number,
): ControllerRevision {
  const { name, namespace } = owner.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name.slice(0, MAX_OWNER_NAME)}-${hash}`,
      ...(namespace !== undefined && { namespace }),
      labels: { ...template.metadata.labels, [REVISION_LABEL]: hash },
      ownerReferences: [controllerRef(owner)],
    },
    data: { spec: { template: { ...template, $patch: 'replace' } } },
    revision,
  };
}

export interface HistoryInput {
  readonly owner: RevisionOwner;
  /** Those of its namespace that it controls, and those without a controller. */
  readonly revisions: readonly StoredControllerRevision[];
  /** What the owner's status says of it. */
  readonly collisionCount: number;
  /** Any ControllerRevision of the namespace, by name. */
  readonly lookup: (name: string) => StoredControllerRevision | undefined;
}

export interface History {
  /** Has the present template: as it is stored after {@link steps}. */
  readonly current: ControllerRevision;
  /** Those with other templates, oldest first. */
  readonly old: readonly StoredControllerRevision[];
  /** How often a name was taken by something else; belongs into the owner's status. */
  readonly collisionCount: number;
  /**
   * Adopts what matches the selector; makes the present revision, or gives it the next number when its template comes
   * back. At most one write for each revision.
   */
  readonly steps: readonly Step[];
}

export function planHistory({ owner, revisions, collisionCount: before, lookup }: HistoryInput): History {
  const adopted = new Set<string>();
  const own = revisions
    .filter(({ metadata }) => {
      const controller = controllerOf(metadata);
      if (controller) return controller.uid === owner.metadata.uid;
      const matches = metadata.deletionTimestamp === undefined && selectorMatches(owner.spec.selector, metadata.labels);
      if (matches) adopted.add(metadata.uid);
      return matches;
    })
    .sort(byRevision);
  const present = lastWithTemplate(own, revisionTemplate, owner.spec.template);
  const old = own.filter((revision) => revision !== present);
  const number = nextRevision(old);
  const written = (revision: StoredControllerRevision): StoredControllerRevision => {
    const kept = adopted.has(revision.metadata.uid) ? adoptedBy(revision, owner) : revision;
    if (revision !== present) return kept;
    const before = revisionTemplate(revision);
    const template = adoptingHash(before, owner.spec.template);
    const numbered = revision.revision < number ? { ...kept, revision: number } : kept;
    return template === before
      ? numbered
      : { ...numbered, data: { spec: { template: { ...template, $patch: 'replace' } } } };
  };
  const steps = own.flatMap((revision): Step[] => {
    const object = written(revision);
    return object === revision ? [] : [{ do: 'update', object }];
  });
  if (present) return { current: written(present), old, collisionCount: before, steps };
  const { revision, collisionCount } = freshRevision(owner, number, before, lookup);
  return { current: revision, old, collisionCount, steps: [...steps, { do: 'create', object: revision }] };
}

/** A name that another template or another owner has is passed over for the next one, always in the same order. */
function freshRevision(
  owner: RevisionOwner,
  number: number,
  from: number,
  lookup: HistoryInput['lookup'],
): { readonly revision: ControllerRevision; readonly collisionCount: number } {
  for (let collisionCount = from; ; collisionCount += 1) {
    const { template } = owner.spec;
    const revision = revisionWith(owner, template, templateHash(template, collisionCount), number);
    if (lookup(revision.metadata.name) === undefined) return { revision, collisionCount };
  }
}

/** The number of a revision that follows these: 1 for the first. */
export function nextRevision(revisions: readonly ControllerRevision[]): number {
  return revisions.reduce((highest, { revision }) => Math.max(highest, revision), 0) + 1;
}

/** Oldest first: by number, then by age, then by name. */
export function byRevision(a: StoredControllerRevision, b: StoredControllerRevision): number {
  return (
    a.revision - b.revision ||
    Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
    compareText(a.metadata.name, b.metadata.name)
  );
}

/**
 * Deletes what is beyond `limit` of the revisions that are not the present one, the oldest first. One that a pod still
 * has stays, and counts.
 */
export function truncateHistory(
  old: readonly StoredControllerRevision[],
  isLive: (revision: StoredControllerRevision) => boolean,
  limit: number,
): readonly Step[] {
  return old
    .filter((revision) => !isLive(revision) && revision.metadata.deletionTimestamp === undefined)
    .sort(byRevision)
    .slice(0, Math.max(0, old.length - limit))
    .map((revision): Step => ({ do: 'delete', key: keyOf(revision), uid: revision.metadata.uid }));
}

/** What a recovery reads in Git: the commit in force, and the pod templates of recent ones. */
import type { ObjectKey, PodTemplateSpec } from '../../contracts/objects/index.ts';
import { PlumbError } from '../core/errors.ts';
import { descriptorOf } from '../core/kinds/index.ts';
import type { DesiredState } from '../core/manifests/index.ts';
import type { PodTemplates } from '../core/nodes/claimed-template.ts';
import { sameTemplate } from '../core/workloads/template.ts';
import type { GitSource, Revision } from '../ports/git-source.ts';
import type { RevisionReader, RenderedRevision } from './sync/revision-reader.ts';

/**
 * Commits of the branch that a recovery looks at: a rollout that still stands after that many pushes is not followed.
 */
const RECENT = 50;
/** Codes of a commit that Git has no longer, not whole, or damaged: one of them holds up no recovery. */
const UNREADABLE: ReadonlySet<string> = new Set(['RevisionNotFound', 'ObjectMissing', 'ObjectUnreadable']);

export interface AppliedState {
  /**
   * Undefined where nobody tells, or what is told is not of this branch: then the state is that of the newest commit
   * that can be read.
   */
  readonly revision: string | undefined;
  readonly state: DesiredState;
}

export interface RecoveryHistory {
  /**
   * `told`: commits that nodes say were in force, most told first. Only one of the branch's recent commits is believed.
   */
  applied(told: readonly string[], signal: AbortSignal): Promise<AppliedState>;
  /** Templates of the workloads of `state`, from that and then from recent commits, newest first, until `isEnough`. */
  templates(
    state: DesiredState,
    isEnough: (templates: PodTemplates) => boolean,
    signal: AbortSignal,
  ): Promise<PodTemplates>;
}

export class GitHistory implements RecoveryHistory {
  readonly #git: GitSource;
  readonly #reader: RevisionReader;

  constructor(git: GitSource, reader: RevisionReader) {
    this.#git = git;
    this.#reader = reader;
  }

  async applied(told: readonly string[], signal: AbortSignal): Promise<AppliedState> {
    const recent = await this.#recent(signal);
    for (const sha of told) {
      const rendered = recent.some((revision) => revision.sha === sha) ? await this.#read(sha, signal) : undefined;
      if (rendered) return { revision: sha, state: rendered.state };
    }
    for (const { sha } of recent) {
      const rendered = await this.#read(sha, signal);
      if (rendered) return { revision: undefined, state: rendered.state };
    }
    return { revision: undefined, state: new Map() };
  }

  async templates(
    state: DesiredState,
    isEnough: (templates: PodTemplates) => boolean,
    signal: AbortSignal,
  ): Promise<PodTemplates> {
    const found = new Map<ObjectKey, PodTemplateSpec[]>();
    add(found, state, state);
    if (isEnough(found)) return found;
    for (const { sha } of await this.#recent(signal)) {
      const rendered = await this.#read(sha, signal);
      if (rendered) add(found, state, rendered.state);
      if (isEnough(found)) break;
    }
    return found;
  }

  async #recent(signal: AbortSignal): Promise<readonly Revision[]> {
    const head = await this.#git.head(signal);
    return head.state === 'at' ? this.#git.log(head.revision.sha, RECENT, signal) : [];
  }

  /** Undefined for a commit that is not there whole, or does not validate: others tell as much, and sooner. */
  async #read(sha: string, signal: AbortSignal): Promise<RenderedRevision | undefined> {
    try {
      const rendered = await this.#reader.read(sha, signal);
      return rendered.diagnostics.some(({ severity }) => severity === 'error') ? undefined : rendered;
    } catch (error) {
      if (error instanceof PlumbError && UNREADABLE.has(error.code)) return undefined;
      throw error;
    }
  }
}

function add(found: Map<ObjectKey, PodTemplateSpec[]>, wanted: DesiredState, state: DesiredState): void {
  for (const [key, { object }] of state) {
    const { owns, podTemplate } = descriptorOf(object.kind);
    if (owns.length === 0 || podTemplate === 'none' || !wanted.has(key)) continue;
    const made = podTemplate.of(object);
    const templates = found.get(key) ?? [];
    found.set(key, templates);
    if (!templates.some((template) => sameTemplate(template, made))) templates.push(made);
  }
}

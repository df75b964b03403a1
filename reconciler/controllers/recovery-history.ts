/** What a recovery reads in Git: the commit in force, and the pod templates of recent ones. */
import type { ObjectKey, PodTemplateSpec, SourcePin } from '../../contracts/objects/index.ts';
import { PlumbError } from '../core/errors.ts';
import { descriptorOf } from '../core/kinds/index.ts';
import type { DesiredState } from '../core/manifests/index.ts';
import type { PodTemplates } from '../core/nodes/claimed-template.ts';
import { sameTemplate } from '../core/workloads/template.ts';
import type { GitSource, Revision } from '../ports/git-source.ts';
import { unavailable } from './sync/best-rendering.ts';
import { NEWEST, type SourcePolicy } from './sync/other-sources.ts';
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
  /** Other repositories that its Apps are of. */
  readonly sources?: readonly SourcePin[];
}

export interface RecoveryHistory {
  /**
   * `told`: commits that nodes say were in force, most told first. Only one of the branch's recent commits is believed.
   * `pins`: which commits of other repositories they say were in force. Throws RetryableError `SourceUnavailable` where one of
   * those cannot be read: what runs of it would be taken for nobody's.
   */
  applied(told: readonly string[], signal: AbortSignal, pins?: SourcePolicy): Promise<AppliedState>;
  /** Templates of the workloads of `state`, from that and then from recent commits, newest first, until `isEnough`. */
  templates(
    state: DesiredState,
    isEnough: (templates: PodTemplates) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<PodTemplates>;
}

export class GitHistory implements RecoveryHistory {
  readonly #git: GitSource;
  readonly #reader: RevisionReader;
  #pins: SourcePolicy = NEWEST;

  constructor(git: GitSource, reader: RevisionReader) {
    this.#git = git;
    this.#reader = reader;
  }

  async applied(told: readonly string[], signal: AbortSignal, pins: SourcePolicy = NEWEST): Promise<AppliedState> {
    this.#pins = pins;
    const recent = await this.#recent(signal);
    for (const sha of told) {
      const rendered = recent.some((revision) => revision.sha === sha) ? await this.#read(sha, signal) : undefined;
      if (rendered) return { revision: sha, ...stateOf(rendered) };
    }
    for (const { sha } of recent) {
      const rendered = await this.#read(sha, signal);
      if (rendered) return { revision: undefined, ...stateOf(rendered) };
    }
    return { revision: undefined, state: new Map() };
  }

  async templates(
    state: DesiredState,
    isEnough: (templates: PodTemplates) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<PodTemplates> {
    const found = new Map<ObjectKey, PodTemplateSpec[]>();
    add(found, state, state);
    if (await isEnough(found)) return found;
    for (const { sha } of await this.#recent(signal)) {
      const rendered = await this.#read(sha, signal);
      if (rendered) add(found, state, rendered.state);
      if (await isEnough(found)) break;
    }
    return found;
  }

  async #recent(signal: AbortSignal): Promise<readonly Revision[]> {
    const head = await this.#git.head(signal);
    return head.state === 'at' ? this.#git.log(head.revision.sha, RECENT, signal) : [];
  }

  async #withSources(sha: string, signal: AbortSignal): Promise<RenderedRevision> {
    const asTold = await this.#reader.read(sha, signal, this.#pins);
    const missing = (one: SourcePin): boolean =>
      one.commit === undefined && !['newest', 'none'].includes(this.#pins(one.id));
    const gone = new Set(asTold.sources?.filter(missing).map(({ id }) => id));
    if (gone.size === 0) return asTold;
    // What a force-push took away is not there to be read; the newest commit of the same repository is nearest to it.
    const nearest = await this.#reader.read(sha, signal, (id) => (gone.has(id) ? 'newest' : this.#pins(id)));
    const unread = nearest.sources?.find(missing);
    if (unread) throw unavailable(unread);
    return nearest;
  }

  /** Undefined for a commit that is not there whole, or does not validate: others tell as much, and sooner. */
  async #read(sha: string, signal: AbortSignal): Promise<RenderedRevision | undefined> {
    try {
      const rendered = await this.#withSources(sha, signal);
      // Of a Secret that cannot be opened the values alone are missing, and these come with the first sync.
      const errors = rendered.diagnostics.filter(({ severity }) => severity === 'error');
      return errors.every(({ code }) => code === 'DecryptionKeyMissing') ? rendered : undefined;
    } catch (error) {
      if (error instanceof PlumbError && UNREADABLE.has(error.code)) return undefined;
      throw error;
    }
  }
}

function stateOf({ state, sources }: RenderedRevision): Pick<AppliedState, 'state' | 'sources'> {
  return { state, ...(sources && { sources }) };
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

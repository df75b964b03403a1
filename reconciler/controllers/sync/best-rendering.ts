/**
 * A revision with the newest commits of its other sources that work. A source that cannot be read, or whose newest commit is
 * wrong, keeps its own Apps at the commit that is in force, and holds up nobody else.
 */
import { objectKey, type SourcePin, type SourceStatus } from '../../../contracts/objects/index.ts';
import { usersOf } from '../../core/apps/other-sources.ts';
import { isListing } from '../../core/apps/pull-requests.ts';
import { RetryableError } from '../../core/errors.ts';
import { refusalMessage } from '../../core/revisions/refusal.ts';
import type { StoreView } from '../runtime/controller.ts';
import { NEWEST, pinned, type SourcePolicy } from './other-sources.ts';
import type { RenderedRevision, RevisionReader } from './revision-reader.ts';

export interface BestRendering {
  readonly rendering: RenderedRevision;
  /** The same with all sources as they are in force; the rendering itself where that has none other. */
  readonly settled: RenderedRevision;
  /** The newest commits, as they were when it was made: one that comes meanwhile is another matter. */
  readonly newest: readonly SourcePin[];
  /** Why sources are not at their newest commit, by id. */
  readonly problems: ReadonlyMap<string, string>;
}

/**
 * Rejects with RetryableError `SourceUnavailable` where a source cannot be read that Apps in force are of, and no
 * commit of it is known: nothing may be taken away for want of it.
 */
export async function bestRendering(
  reader: RevisionReader,
  sha: string,
  status: SourceStatus | undefined,
  view: StoreView,
  signal: AbortSignal,
): Promise<BestRendering> {
  const newest = await reader.read(sha, signal, NEWEST);
  const used = newest.sources ?? [];
  const alone = { rendering: newest, settled: newest, newest: used, problems: new Map<string, string>() };
  if (used.length === 0) return alone;
  const isNew = mayBeLeftOut(status, view);
  const pins = pinned(status?.sources);
  const missingIn = (one: RenderedRevision, policy: SourcePolicy): SourcePin | undefined =>
    one.sources?.find(({ id, commit }) => commit === undefined && policy(id) !== 'none');
  const byId = new Map(used.map((each) => [each.id, each]));
  const settle: SourcePolicy = (id) => {
    const pin = pins(id);
    const one = byId.get(id);
    return pin === 'newest' && one && isNew(one) ? 'none' : pin;
  };
  if (!hasErrors(newest) && used.every(({ commit }) => commit !== undefined)) {
    const settled = used.every(({ id, commit }) => settle(id) === commit)
      ? newest
      : await reader.read(sha, signal, settle);
    // What lacks something that is in force would take it away.
    return { ...alone, settled: hasErrors(settled) || missingIn(settled, settle) ? newest : settled };
  }
  const settled = await reader.read(sha, signal, settle);
  const missing = missingIn(settled, settle);
  if (missing) throw unavailable(missing);
  // Then it is the commit itself that is wrong.
  if (hasErrors(settled)) return { ...alone, rendering: hasErrors(newest) ? newest : settled };
  const problems = new Map<string, string>();
  const moved = new Set<string>();
  let best = settled;
  // Which Apps there are comes before what they are of.
  for (const { id, commit, problem } of [...used.filter(isListing), ...used.filter((one) => !isListing(one))]) {
    if (commit === undefined) problems.set(id, problem ?? '');
    if (commit === undefined || commit === settle(id)) continue;
    const policy: SourcePolicy = (one) => (one === id || moved.has(one) ? 'newest' : settle(one));
    const tried = await reader.read(sha, signal, policy);
    const errors = tried.diagnostics.filter(({ severity }) => severity === 'error');
    const lost = missingIn(tried, policy);
    if (errors.length > 0) problems.set(id, `commit ${commit.slice(0, 12)}: ${refusalMessage(errors)}`);
    else if (lost) problems.set(id, `${usersOf(lost)}: ${lost.problem ?? ''}`);
    else {
      best = tried;
      moved.add(id);
    }
  }
  return { ...alone, rendering: best, settled, problems };
}

export function unavailable({ url, problem = 'it cannot be read', ...pin }: SourcePin): RetryableError {
  return new RetryableError('SourceUnavailable', `${usersOf(pin)} is of ${url}: ${problem}`);
}

/** What is kept of the sources of a rendering. */
export function pinsOf(
  { sources }: Pick<RenderedRevision, 'sources'>,
  problems: ReadonlyMap<string, string>,
): readonly SourcePin[] | undefined {
  if (!sources || sources.length === 0) return undefined;
  return sources.map(({ id, url, follows, apps, sets, commit }) => {
    const problem = problems.get(id);
    return {
      id,
      url,
      follows,
      apps,
      ...(sets && { sets }),
      ...(commit !== undefined && { commit }),
      ...(problem !== undefined && { problem }),
    };
  });
}

/** Whether nothing of the source's Apps is in force: they are new, or were left out before. */
function mayBeLeftOut(status: SourceStatus | undefined, view: StoreView): (source: SourcePin) => boolean {
  const before = new Map(status?.sources?.map((pin) => [pin.id, pin]));
  return ({ id, apps, sets }) => {
    const pin = before.get(id);
    if (pin) return pin.commit === undefined;
    // Whatever the set gave before is not known: it may be what cannot be listed now.
    if (sets) return sets.every((name) => !view.get(objectKey('AppSet', undefined, name)));
    const left = new Set([...before.values()].filter(({ commit }) => commit === undefined).flatMap((one) => one.apps));
    return apps.every((name) => left.has(name) || !isLive(view, name));
  };
}

function isLive(view: StoreView, app: string): boolean {
  return view.get(objectKey('App', undefined, app)) !== undefined;
}

function hasErrors({ diagnostics }: RenderedRevision): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

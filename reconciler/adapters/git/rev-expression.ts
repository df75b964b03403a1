/**
 * What people write for a commit: an id or its beginning, a branch, a tag, `HEAD`, and `~N` or `^N` behind it. Source:
 * gitrevisions(7).
 */
import { TerminalError } from '../../core/errors.ts';
import type { Revision } from '../../ports/git-source.ts';
import type { ObjectEngine } from './engine.ts';
import { parseCommit, parseTagTarget } from './raw-objects.ts';

const FULL_ID = /^[0-9a-f]{40}$/;
const SHORT_ID = /^[0-9a-f]{4,39}$/;
const EXPRESSION = /^(.+?)((?:[~^]\d*)*)$/;
const MAX_TAG_CHAIN = 10;
const MAX_STEPS = 100_000;

function notFound(rev: string, why: string): TerminalError {
  return new TerminalError('RevisionNotFound', `revision ${JSON.stringify(rev)}: ${why}`);
}

/** The commit that an id names, through annotated tags; undefined where it names none. */
export async function readCommit(
  engine: ObjectEngine,
  oid: string,
  signal: AbortSignal,
): Promise<Revision | undefined> {
  let id = oid;
  for (let i = 0; i < MAX_TAG_CHAIN; i++) {
    const object = await engine.read(id, signal);
    if (object?.type === 'commit') return parseCommit(id, object.content);
    const target = object?.type === 'tag' ? parseTagTarget(object.content) : undefined;
    if (target === undefined) return undefined;
    id = target;
  }
  return undefined;
}

async function baseId(
  engine: ObjectEngine,
  base: string,
  headRef: string,
  signal: AbortSignal,
): Promise<Revision | undefined> {
  if (base === 'HEAD' || base === '@') {
    const head = await engine.ref(headRef, signal);
    return head === undefined ? undefined : readCommit(engine, head, signal);
  }
  if (FULL_ID.test(base)) return readCommit(engine, base, signal);
  for (const name of [base, `refs/tags/${base}`, `refs/heads/${base}`, `refs/remotes/${base}`]) {
    if (!name.startsWith('refs/')) continue;
    const oid = await engine.ref(name, signal);
    if (oid !== undefined) return readCommit(engine, oid, signal);
  }
  if (!SHORT_ID.test(base)) return undefined;
  const commits: Revision[] = [];
  for (const oid of await engine.expand(base, signal)) {
    const commit = await readCommit(engine, oid, signal);
    if (commit) commits.push(commit);
  }
  if (commits.length > 1) throw notFound(base, `is short for ${commits.length} commits: write more digits`);
  return commits[0];
}

/** What stands before `~N` and `^N`: an id, a branch, a tag; empty where that is nothing. */
export function baseOf(rev: string): string {
  return EXPRESSION.exec(rev.trim())?.[1] ?? '';
}

/**
 * Resolves `rev`; `HEAD` and `@` mean `headRef`. Throws TerminalError `RevisionNotFound`, saying which part was not
 * found.
 */
export async function resolveRevision(
  engine: ObjectEngine,
  rev: string,
  headRef: string,
  signal: AbortSignal,
): Promise<Revision> {
  const match = EXPRESSION.exec(rev.trim());
  const base = match?.[1] ?? '';
  let commit = base === '' ? undefined : await baseId(engine, base, headRef, signal);
  if (!commit) throw notFound(rev, `the repository has no commit, branch or tag ${JSON.stringify(base)}`);
  let steps = 0;
  for (const [, kind, digits] of (match?.[2] ?? '').matchAll(/([~^])(\d*)/g)) {
    const number = digits ? Number(digits) : 1;
    const ancestors: number[] =
      kind === '~' ? Array.from({ length: Math.min(number, MAX_STEPS) }, () => 1) : number === 0 ? [] : [number];
    for (const parent of ancestors) {
      const next: string | undefined = commit.parents[parent - 1];
      const found: Revision | undefined =
        next !== undefined && ++steps <= MAX_STEPS ? await readCommit(engine, next, signal) : undefined;
      if (!found) throw notFound(rev, `history ends at ${commit.sha.slice(0, 12)}`);
      commit = found;
    }
  }
  return commit;
}

/** Which commit made an object what it is: the newest one that changed what its manifest says of it. */
import type { AnyKey } from '../../contracts/objects/index.ts';
import { equal } from '../core/fields/json.ts';
import { MAX_FILE_BYTES, parseManifest } from '../core/manifests/index.ts';
import { subjectOf } from '../core/revisions/history.ts';
import { gitFileReader } from '../ports/git-file-reader.ts';
import type { GitSource, Revision, TreeFile } from '../ports/git-source.ts';
import type { BlameReport } from './types.ts';

type Git = Pick<GitSource, 'resolve' | 'files' | 'blob'>;

/** Commits of the branch that are looked at. */
const MOST_COMMITS = 1000;

/** What a file says of an object; the file's id where it is not read as a manifest of it: an App's template, say. */
interface Said {
  readonly file: TreeFile;
  readonly line: number | undefined;
  readonly says: unknown;
}

/**
 * Follows `file` back from `sha` over first parents, so that what a pull request brought is blamed on its merge. A file
 * that was moved as it is is followed. Undefined where the commit has no such file.
 */
export async function blameManifest(
  git: Git,
  { key, file, sha }: { readonly key: AnyKey; readonly file: string; readonly sha: string },
  signal: AbortSignal,
): Promise<Pick<BlameReport, 'commit' | 'origin' | 'change'> | undefined> {
  const read = gitFileReader(git, signal);
  const known = new Map<string, Said>();
  async function said(at: TreeFile): Promise<Said> {
    const before = known.get(at.oid);
    if (before) return { ...before, file: at };
    const bytes = await read(at, MAX_FILE_BYTES);
    const parsed = bytes === 'too-large' ? undefined : parseManifest(at.path, at.oid, bytes);
    const object = parsed?.objects.find((one) => one.key === key);
    const found: Said = { file: at, line: object?.position.line, says: object?.written ?? at.oid };
    known.set(at.oid, found);
    return found;
  }
  let commit = await git.resolve(sha, signal);
  const first = (await git.files(sha, signal)).find(({ path }) => path === file);
  if (!first) return undefined;
  const newest = await said(first);
  let now = newest;
  for (let looked = 1; ; looked++) {
    const [parentSha] = commit.parents;
    const answer = (change: BlameReport['change']): ReturnType<typeof blameManifest> =>
      Promise.resolve({ commit: told(commit), origin: { file: newest.file.path, line: newest.line ?? 1 }, change });
    if (parentSha === undefined) return answer('added');
    if (looked > MOST_COMMITS) return answer('older');
    const parent = await git.resolve(parentSha, signal);
    const files = await git.files(parentSha, signal);
    const before = files.find(({ path }) => path === now.file.path) ?? files.find(({ oid }) => oid === now.file.oid);
    if (!before) return answer('added');
    if (before.oid !== now.file.oid) {
      const then = await said(before);
      if (!equal(then.says, now.says))
        return answer(then.line === undefined && now.line !== undefined ? 'added' : 'changed');
      now = then;
    } else now = { ...now, file: before };
    commit = parent;
  }
}

function told({ sha, message, author, committedAt }: Revision): BlameReport['commit'] {
  return {
    revision: sha,
    subject: subjectOf(message),
    author: subjectOf(`${author.name} <${author.email}>`),
    committedAt,
  };
}

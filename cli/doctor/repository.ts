/** Whether a repository can be applied, and is checked as it is pushed to. */
import { missing, ok, warning, type Finding } from './finding.ts';

export interface RepositoryFacts {
  readonly branch: string;
  /** Undefined where the branch has no commit yet. */
  readonly head: string | undefined;
  /** Of the newest commit. */
  readonly errors: number;
  readonly clusters: number;
  readonly machines: number;
  /** Whether a push can be checked here. */
  readonly bare: boolean;
  /** Of `pre-receive` and `post-receive`: whose they are, and what of them is not there any more. */
  readonly hooks: Readonly<
    Record<'pre-receive' | 'post-receive', 'ours' | 'none' | 'other' | { readonly gone: string }>
  >;
  readonly encrypted: boolean;
  readonly hasAgeKey: boolean;
}

export function judgeRepository(facts: RepositoryFacts): readonly Finding[] {
  const { branch, head, errors, clusters, machines, encrypted, hasAgeKey } = facts;
  const hooks = facts.bare ? judgeHooks(facts) : [];
  if (head === undefined)
    return [missing('branch', `${branch} has no commit yet`, `push one: git push -u origin ${branch}`), ...hooks];
  return [
    ok('branch', `${branch} is at ${head.slice(0, 12)}`),
    errors === 0
      ? ok('manifests', 'are valid')
      : missing(
          'manifests',
          `have ${errors} ${errors === 1 ? 'error' : 'errors'}: the commit is refused`,
          'see them with: plumb check',
        ),
    clusters === 1
      ? ok('Cluster', 'is there')
      : warning('Cluster', 'is not there: all settings are defaults', 'write plumbline.yaml, as plumb init does'),
    machines > 0
      ? ok('machines', `${machines} in the repository`)
      : warning(
          'machines',
          'are none in the repository, so nothing can run',
          'plumb node add root@HOST --commit, and push',
        ),
    ...(encrypted
      ? [
          hasAgeKey
            ? ok('age key', 'is in the home folder')
            : warning(
                'age key',
                'is not in the home folder, and Secrets are encrypted',
                'plumb secret keygen, or copy age.key from where it is',
              ),
        ]
      : []),
    ...hooks,
  ];
}

function judgeHooks({ hooks }: RepositoryFacts): readonly Finding[] {
  return (['pre-receive', 'post-receive'] as const).map((name) => {
    const found = hooks[name];
    const effect = name === 'pre-receive' ? 'pushes are not checked' : 'a push is only seen at the next poll';
    if (found === 'ours') return ok(name, 'is there');
    const renew = 'run plumb init --bare on it again';
    if (found === 'none') return warning(name, `is not there: ${effect}`, renew);
    if (found === 'other')
      return warning(name, "is somebody else's", 'have it call the one that plumb init --bare writes elsewhere');
    return warning(name, `calls ${found.gone}, which is not there: ${effect}`, renew);
  });
}

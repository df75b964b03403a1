/**
 * How each forge is asked, and what its answers mean. Sources: GitHub REST API 2022-11-28, "List pull requests"; GitLab,
 * "Merge requests API", list project merge requests; Gitea, swagger `repoListPullRequests`, and services/convert/pull.go.
 */
import { z } from 'zod';
import type { FoundPullRequest } from '../../core/apps/pull-requests.ts';
import type { AskedForge } from '../../ports/pull-requests.ts';

/** Gitea's own most, unless it is set otherwise; the others have more. */
export const PAGE = 50;

export interface Dialect {
  /** Of one page, from 1. */
  url(asked: AskedForge, page: number): string;
  headers(token: string | undefined): Readonly<Record<string, string>>;
  /** Throws ZodError for what is no page of it. */
  read(answer: unknown): readonly FoundPullRequest[];
}

const Name = z.object({ login: z.string() }).nullish();
const Labels = z.array(z.object({ name: z.string() })).nullish();

const GitHubPage = z.array(
  z.object({
    number: z.int(),
    title: z.string(),
    user: Name,
    labels: Labels,
    head: z.object({ ref: z.string(), sha: z.string(), repo: z.object({ id: z.int() }).nullish() }),
    base: z.object({ ref: z.string(), repo: z.object({ id: z.int() }) }),
  }),
);

const GitLabPage = z.array(
  z.object({
    iid: z.int(),
    title: z.string(),
    author: z.object({ username: z.string() }).nullish(),
    labels: z.array(z.string()).nullish(),
    source_branch: z.string(),
    target_branch: z.string(),
    sha: z.string().nullish(),
    source_project_id: z.int().nullish(),
    target_project_id: z.int(),
  }),
);

const GiteaPage = z.array(
  z.object({
    number: z.int(),
    title: z.string(),
    user: Name,
    labels: Labels,
    head: z.object({ ref: z.string(), sha: z.string(), repo_id: z.int() }),
    base: z.object({ ref: z.string(), repo_id: z.int() }),
  }),
);

const encoded = (repository: string): string => repository.split('/').map(encodeURIComponent).join('/');

/** What Gitea has as GitHub does. */
function ofGitHub({ number, title, user, labels, head, base }: OfGitHub): Omit<FoundPullRequest, 'isForeign'> {
  return {
    number,
    title,
    branch: head.ref,
    targetBranch: base.ref,
    headSha: head.sha,
    labels: (labels ?? []).map(({ name }) => name),
    author: user?.login ?? '',
  };
}

interface OfGitHub {
  readonly number: number;
  readonly title: string;
  readonly user?: z.infer<typeof Name>;
  readonly labels?: z.infer<typeof Labels>;
  readonly head: { readonly ref: string; readonly sha: string };
  readonly base: { readonly ref: string };
}

const bearer = (token: string | undefined): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

export const DIALECTS: Readonly<Record<AskedForge['forge'], Dialect>> = {
  github: {
    url: ({ url, repository }, page) =>
      `${url === 'https://github.com' ? 'https://api.github.com' : `${url}/api/v3`}/repos/${encoded(repository)}/pulls?state=open&per_page=${PAGE}&page=${page}`,
    headers: (token) => ({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      ...bearer(token),
    }),
    read: (answer) =>
      GitHubPage.parse(answer).map((one) => ({ ...ofGitHub(one), isForeign: one.head.repo?.id !== one.base.repo.id })),
  },
  gitlab: {
    url: ({ url, repository }, page) =>
      `${url}/api/v4/projects/${encodeURIComponent(repository)}/merge_requests?state=opened&scope=all&per_page=${PAGE}&page=${page}`,
    headers: bearer,
    read: (answer) =>
      GitLabPage.parse(answer).map((one) => ({
        number: one.iid,
        title: one.title,
        branch: one.source_branch,
        targetBranch: one.target_branch,
        headSha: one.sha ?? '',
        labels: one.labels ?? [],
        author: one.author?.username ?? '',
        isForeign: one.source_project_id !== one.target_project_id,
      })),
  },
  gitea: {
    url: ({ url, repository }, page) =>
      `${url}/api/v1/repos/${encoded(repository)}/pulls?state=open&limit=${PAGE}&page=${page}`,
    headers: (token) => (token === undefined ? {} : { authorization: `token ${token}` }),
    read: (answer) =>
      GiteaPage.parse(answer).map((one) => ({
        ...ofGitHub(one),
        // One that was pushed to refs/for/ needs the right to read alone, and is of no branch of the repository.
        isForeign: one.head.repo_id !== one.base.repo_id || one.head.ref.startsWith('refs/'),
      })),
  },
};

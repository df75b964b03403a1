/**
 * A forge on 127.0.0.1, over TLS: the lists of pull requests that GitHub, GitLab and Gitea give, in pages, with ETags and
 * a token. Shapes: the forges' own API documentation, with fields that nobody reads.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ForgeKind = 'github' | 'gitlab' | 'gitea';

export interface ForgePull {
  readonly number: number;
  readonly title: string;
  readonly branch: string;
  readonly targetBranch: string;
  readonly headSha: string;
  readonly labels: readonly string[];
  readonly author: string;
  /** `fork`: of another repository. `gone`: of one that was deleted. `pushed`: Gitea's, to refs/for/. */
  readonly from?: 'fork' | 'gone' | 'pushed';
}

export interface TestForge {
  readonly port: number;
  readonly url: string;
  /** Of `shop/web`. */
  pulls: readonly ForgePull[];
  /** Questions that were answered, with their status. */
  readonly asked: { readonly path: string; readonly status: number; readonly authorization: string | undefined }[];
  /** Answers by this instead, until told `undefined`. Where it answers `false` the forge itself does. */
  answerBy(handler: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined): void;
  close(): Promise<void>;
}

export interface ForgeSettings {
  readonly kind: ForgeKind;
  readonly tls: { readonly key: string; readonly cert: string };
  /** Everybody is let in when absent. */
  readonly token?: string;
}

const PATHS: Readonly<Record<ForgeKind, string>> = {
  github: '/api/v3/repos/shop/web/pulls',
  gitlab: '/api/v4/projects/shop%2Fweb/merge_requests',
  gitea: '/api/v1/repos/shop/web/pulls',
};
const STATE: Readonly<Record<ForgeKind, string>> = { github: 'open', gitlab: 'opened', gitea: 'open' };
const [OWN, OTHER] = [7, 8];

export async function startForge({ kind, tls, token }: ForgeSettings): Promise<TestForge> {
  let instead: Parameters<TestForge['answerBy']>[0];
  const asked: TestForge['asked'] = [];
  const server = createServer(tls, (request, response) => {
    response.on('finish', () =>
      asked.push({
        path: request.url ?? '',
        status: response.statusCode,
        authorization: request.headers.authorization,
      }),
    );
    if (instead?.(request, response)) return;
    answer(request, response);
  });
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    const scheme = kind === 'gitea' ? 'token' : 'Bearer';
    if (token !== undefined && request.headers.authorization !== `${scheme} ${token}`) {
      response.writeHead(401).end('{"message":"Bad credentials"}');
      return;
    }
    if (url.pathname !== PATHS[kind] || url.searchParams.get('state') !== STATE[kind]) {
      response.writeHead(404).end('{"message":"Not Found"}');
      return;
    }
    const size = Number(url.searchParams.get(kind === 'gitea' ? 'limit' : 'per_page'));
    const page = Number(url.searchParams.get('page'));
    const some = forge.pulls.slice((page - 1) * size, page * size);
    const body = JSON.stringify(some.map(SHAPES[kind]));
    const etag = `W/"${createHash('sha1').update(body).digest('hex')}"`;
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { etag }).end();
      return;
    }
    const isLast = page * size >= forge.pulls.length;
    const next = `<https://localhost${url.pathname}?page=${page + 1}>; rel="next"`;
    response.writeHead(200, { 'content-type': 'application/json', etag, ...(!isLast && { link: next }) }).end(body);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const forge: TestForge = {
    port,
    url: `https://localhost:${port}`,
    pulls: [],
    asked,
    answerBy: (handler) => {
      instead = handler;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return forge;
}

const SHAPES: Readonly<Record<ForgeKind, (pull: ForgePull) => object>> = {
  github: ({ number, title, branch, targetBranch, headSha, labels, author, from }) => ({
    id: 1000 + number,
    number,
    state: 'open',
    title,
    body: null,
    draft: false,
    user: { login: author, id: 1, type: 'User' },
    labels: labels.map((name, id) => ({ id, name, color: 'f29513', default: false, description: null })),
    head: {
      label: `shop:${branch}`,
      ref: branch,
      sha: headSha,
      repo: from === 'gone' ? null : { id: from ? OTHER : OWN, full_name: 'shop/web', fork: from !== undefined },
    },
    base: { label: `shop:${targetBranch}`, ref: targetBranch, sha: '0'.repeat(40), repo: { id: OWN } },
  }),
  gitlab: ({ number, title, branch, targetBranch, headSha, labels, author, from }) => ({
    id: 1000 + number,
    iid: number,
    project_id: OWN,
    state: 'opened',
    title,
    description: '',
    author: { id: 1, username: author, name: author },
    labels,
    source_branch: branch,
    target_branch: targetBranch,
    source_project_id: from === 'gone' ? null : from ? OTHER : OWN,
    target_project_id: OWN,
    sha: headSha,
    merge_commit_sha: null,
  }),
  gitea: ({ number, title, branch, targetBranch, headSha, labels, author, from }) => ({
    id: 1000 + number,
    number,
    state: 'open',
    title,
    body: '',
    user: { id: 1, login: author },
    labels: labels.map((name, id) => ({ id, name, color: 'f29513' })),
    head: {
      label: branch,
      ref: from === 'gone' || from === 'pushed' ? `refs/pull/${number}/head` : branch,
      sha: headSha,
      repo_id: from === 'fork' ? OTHER : from === 'gone' ? -1 : OWN,
      repo: null,
    },
    base: { label: targetBranch, ref: targetBranch, sha: '0'.repeat(40), repo_id: OWN, repo: { id: OWN } },
  }),
};

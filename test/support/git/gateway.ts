/** git's own HTTP server program behind a small gateway on 127.0.0.1 that may ask for a password, or speak TLS. */
import { execFile } from 'node:child_process';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface GitGateway {
  readonly port: number;
  /** What `git http-backend` reads: the folder above the repositories. */
  serve(projectRoot: string): void;
  /** Answers by this instead of by Git, until told `undefined`. */
  answerBy(handler: ((request: IncomingMessage, response: ServerResponse) => void) | undefined): void;
  answer(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}

export interface GatewaySettings {
  /** PEM; plain HTTP when absent. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** `user:password`; everybody is let in when there is no token either. */
  readonly login?: string;
  /** What has to stand behind `Bearer`. */
  readonly token?: string;
}

export async function startGateway({ tls, login, token }: GatewaySettings = {}): Promise<GitGateway> {
  const wanted =
    token !== undefined
      ? `Bearer ${token}`
      : login === undefined
        ? undefined
        : `Basic ${Buffer.from(login).toString('base64')}`;
  let projectRoot = '';
  let instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (instead) instead(request, response);
    else if (wanted !== undefined && request.headers.authorization !== wanted)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    else backend(projectRoot, request, response);
  };
  const server = tls ? createTlsServer(tls, answer) : createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    answer,
    serve: (root) => {
      projectRoot = root;
    },
    answerBy: (handler) => {
      instead = handler;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function backend(projectRoot: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = execFile(
    'git',
    ['http-backend'],
    {
      encoding: 'buffer',
      maxBuffer: 1 << 28,
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: projectRoot,
        GIT_HTTP_EXPORT_ALL: '1',
        REMOTE_USER: 'ada',
        REQUEST_METHOD: request.method,
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers['content-type'],
        CONTENT_LENGTH: request.headers['content-length'],
      },
    },
    (_error, stdout) => {
      const gap = stdout.indexOf('\r\n\r\n');
      const headers = stdout
        .toString('latin1', 0, gap)
        .split('\r\n')
        .map((line) => line.split(': ') as [string, string]);
      const status = headers.find(([name]) => name === 'Status')?.[1];
      response
        .writeHead(
          Number(status?.split(' ')[0] ?? 200),
          Object.fromEntries(headers.filter(([name]) => name !== 'Status')),
        )
        .end(stdout.subarray(gap + 4));
    },
  );
  child.stdin?.on('error', () => undefined);
  request.pipe(child.stdin!);
}

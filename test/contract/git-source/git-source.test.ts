import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { gitSourceSuite } from './suite.ts';

gitSourceSuite({ name: 'local, isomorphic-git', local: true, open: (r) => openGitSource({ url: r.dir }) });
gitSourceSuite({ name: 'local, native git', local: true, open: (r) => openGitSource({ url: r.dir, engine: 'native' }) });
gitSourceSuite({ name: 'served by a process, isomorphic-git', local: false, open: (r) => openGitSource({ url: `file://${r.dir}`, branch: 'main', cacheDir: join(r.root, 'cache') }) });
gitSourceSuite({ name: 'served by a process, native git', local: false, open: (r) => openGitSource({ url: `file://${r.dir}`, branch: 'main', cacheDir: join(r.root, 'cache'), engine: 'native' }) });

/** git's own HTTP server program behind a small gateway that asks for a password. */
let server: Server;
let projectRoot = '';
before(async () => {
  const wanted = `Basic ${Buffer.from('ada:s3cret').toString('base64')}`;
  server = createServer((request, response) => {
    if (request.headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    const url = new URL(request.url ?? '/', 'http://localhost');
    const child = execFile('git', ['http-backend'], {
      encoding: 'buffer', maxBuffer: 1 << 28,
      env: {
        PATH: process.env['PATH'], GIT_PROJECT_ROOT: projectRoot, GIT_HTTP_EXPORT_ALL: '1', REMOTE_USER: 'ada', REQUEST_METHOD: request.method, PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1), CONTENT_TYPE: request.headers['content-type'], CONTENT_LENGTH: request.headers['content-length'],
      },
    }, (_error, stdout) => {
      const gap = stdout.indexOf('\r\n\r\n');
      const headers = stdout.toString('latin1', 0, gap).split('\r\n').map((line) => line.split(': ') as [string, string]);
      const status = headers.find(([name]) => name === 'Status')?.[1];
      response.writeHead(Number(status?.split(' ')[0] ?? 200), Object.fromEntries(headers.filter(([name]) => name !== 'Status'))).end(stdout.subarray(gap + 4));
    });
    request.pipe(child.stdin!);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => new Promise((resolve) => server.close(resolve)));

gitSourceSuite({
  name: 'over HTTP with a password, isomorphic-git',
  local: false,
  open: (r) => {
    projectRoot = r.root;
    return openGitSource({ url: `http://ada:s3cret@127.0.0.1:${(server.address() as AddressInfo).port}/repo.git`, branch: 'main', cacheDir: join(r.root, 'cache') });
  },
});

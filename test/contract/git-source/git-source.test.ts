import { join } from 'node:path';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { gitSourceSuite } from './suite.ts';

gitSourceSuite({ name: 'local, isomorphic-git', local: true, open: (r) => openGitSource({ url: r.dir }) });
gitSourceSuite({
  name: 'local, native git',
  local: true,
  open: (r) => openGitSource({ url: r.dir, engine: 'native' }),
});
gitSourceSuite({
  name: 'served by a process, isomorphic-git',
  local: false,
  open: (r, branch) =>
    openGitSource({
      url: `file://${r.dir}`,
      ...(branch === undefined && { branch: 'main' }),
      cacheDir: join(r.root, 'cache'),
    }),
});
gitSourceSuite({
  name: 'served by a process, native git',
  local: false,
  open: (r, branch) =>
    openGitSource({
      url: `file://${r.dir}`,
      ...(branch === undefined && { branch: 'main' }),
      cacheDir: join(r.root, 'cache'),
      engine: 'native',
    }),
});

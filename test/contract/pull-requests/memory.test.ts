import { MemoryPullRequests } from '../../../reconciler/adapters/memory/pull-requests.ts';
import { pullRequestsSuite } from './suite.ts';

pullRequestsSuite('memory', () => {
  const forges = new MemoryPullRequests();
  const repository = 'shop/web';
  return Promise.resolve({
    forges,
    asked: { forge: 'github', url: 'https://github.com', repository, auth: undefined },
    put: (pulls) => forges.repositories.set(repository, pulls),
    close: () => Promise.resolve(),
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerRequest } from '../../../nodeagent/adapters/cri/configs.ts';
import { CreateContainerRequest } from '../../../nodeagent/adapters/cri/messages.ts';
import { hugePageLimits, pageBytesOf } from '../../../nodeagent/core/node/huge-pages.ts';
import type { ContainerConfig } from '../../../nodeagent/core/pod/runtime-types.ts';
import { decode, encode } from '../../../nodeagent/core/wire/protobuf.ts';

const SIZES = [2 ** 21, 2 ** 30];
const asking = (limits: Readonly<Record<string, string>>) => ({ resources: { limits } });

describe('huge pages', () => {
  it('are known by the names of their pools', () => {
    assert.deepEqual(
      ['hugepages-2048kB', 'hugepages-1048576kB', 'hugepages-64kB', 'hugepages-', 'x', 'hugepages-2048kB.old'].map(
        pageBytesOf,
      ),
      [2 ** 21, 2 ** 30, 2 ** 16, undefined, undefined, undefined],
    );
  });

  for (const [name, limits, expected] of [
    [
      'what a container asks for, of each size',
      { 'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '2Gi' },
      [4 * 2 ** 20, 2 * 2 ** 30],
    ],
    ['nothing of a size that it does not ask for', { 'hugepages-1Gi': '1Gi', memory: '1Gi' }, [0, 2 ** 30]],
    ['nothing where it asks for none', {}, [0, 0]],
    ['nothing of a size that the machine does not know', { 'hugepages-64Ki': '64Ki' }, [0, 0]],
  ] as const) {
    it(`are limited to ${name}`, () =>
      assert.deepEqual(hugePageLimits(asking(limits), SIZES), [
        { pageSize: '2MB', bytes: expected[0] },
        { pageSize: '1GB', bytes: expected[1] },
      ]));
  }

  /** The runtime's own words: LinuxContainerResources.hugepage_limits is field 8, page_size 1 and limit 2. */
  it('go to the runtime with the container', () => {
    const config = {
      name: 'main',
      env: [],
      mounts: [],
      hugePages: hugePageLimits(asking({ 'hugepages-1Gi': '4Gi' }), SIZES),
      resources: { cpuPeriod: 0, cpuQuota: 0, cpuShares: 2, memoryBytes: 0, oomScoreAdj: 0 },
      security: { seccomp: { type: 'RuntimeDefault' }, namespaces: { pid: 'container', ipc: 'pod' } },
    } as unknown as ContainerConfig;
    const bytes = encode(CreateContainerRequest, { config: containerRequest(config) });
    const told = decode(CreateContainerRequest, bytes).config?.linux?.resources?.hugepageLimits;
    assert.deepEqual(told, [
      { pageSize: '2MB', limit: 0 },
      { pageSize: '1GB', limit: 4 * 2 ** 30 },
    ]);
  });
});

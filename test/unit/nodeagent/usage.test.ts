/** What a node tells of its use. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageReport } from '../../../contracts/agent/index.ts';
import { machineUse } from '../../../nodeagent/adapters/system/machine-use.ts';
import { busyNanoseconds, memoryOf } from '../../../nodeagent/core/node/machine-use.ts';
import { usageReport } from '../../../nodeagent/core/node/usage-report.ts';
import type { ObservedPod } from '../../../nodeagent/core/pod/observed.ts';

const STAT = `cpu  1000 20 300 90000 400 5 15 70 600 0
cpu0 500 10 150 45000 200 2 7 35 300 0
intr 1
`;
const MEMINFO = `MemTotal:        8000000 kB
MemFree:         3000000 kB
MemAvailable:    6000000 kB
Inactive:        2500000 kB
Inactive(anon):   500000 kB
Inactive(file):  2000000 kB
`;

describe('the use of a machine', () => {
  it('is the time that processors worked, without idle, waiting, stolen and what guests had already', () => {
    assert.equal(busyNanoseconds(STAT), (1000 + 20 + 300 + 5 + 15) * 1e7);
  });

  it('is memory that is not free, but for files that were not read lately', () => {
    assert.equal(memoryOf(MEMINFO)?.workingSet, 3_000_000 * 1024);
    assert.equal(
      memoryOf('MemTotal: 10 kB\nMemFree: 4 kB\n')?.workingSet,
      6 * 1024,
      'a kernel that counts no such files',
    );
  });

  it('is not known from anything else', () => {
    for (const text of ['', 'cpu  1 2\n', 'cpu  a b c d e f g\n']) assert.equal(busyNanoseconds(text), undefined);
    for (const text of ['', 'MemTotal: 5 kB\n']) assert.equal(memoryOf(text), undefined);
  });

  it('is told by this machine', async () => {
    const before = await machineUse();
    assert.ok(before.memoryBytes > 1e7, `${before.memoryBytes}`);
    const until = process.cpuUsage().user + 100_000;
    while (process.cpuUsage().user < until);
    const after = await machineUse();
    assert.ok(after.cpuNanoseconds - before.cpuNanoseconds >= 50e6, 'a tenth of a second of work shows');
  });
});

describe('a report of use', () => {
  const container = (id: string, startedAt: number) => ({ id, detail: { startedAt } });
  const observed = (uid: string): ObservedPod | undefined =>
    uid === 'u1' ? ({ containers: [container('c1', 1_000_000)] } as unknown as ObservedPod) : undefined;
  const measured = { name: 'app', at: 1_004_000, cpuNanoseconds: 5, memoryBytes: 6 };

  it("has the runtime's times on the agent's own clock, and only containers that the agent knows", () => {
    const report = usageReport({
      agentStartedAt: '2026-01-01T00:00:00Z',
      machine: { cpuNanoseconds: 1, memoryBytes: 2 },
      containers: [
        { ...measured, podUid: 'u1', id: 'c1' },
        { ...measured, podUid: 'u1', id: 'another' },
        { ...measured, podUid: 'u2', id: 'c2' },
      ],
      observed,
      now: 1_005_000,
      monotonic: 3_000,
    });
    assert.deepEqual(UsageReport.parse(report), {
      agentStartedAt: '2026-01-01T00:00:00Z',
      at: 3_000,
      node: { at: 3_000, cpuNanoseconds: 1, memoryBytes: 2 },
      containers: [
        { podUid: 'u1', name: 'app', id: 'c1', startedAt: -2_000, at: 2_000, cpuNanoseconds: 5, memoryBytes: 6 },
      ],
    });
  });
});

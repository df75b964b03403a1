/** What the reporter knows of the runtime, for those that make pods. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Machine } from '../../../nodeagent/core/node/report.ts';
import { memoryRuntime } from '../../../nodeagent/adapters/memory/container-runtime.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { startNodeReporter, type NodeReporterDeps } from '../../../nodeagent/loops/node-reporter.ts';
import { createStatusHub } from '../../../nodeagent/loops/status-hub.ts';
import { RuntimeError } from '../../../nodeagent/ports/container-runtime.ts';

const MACHINE: Machine = {
  hostname: 'n1',
  cpus: 1,
  memoryBytes: 1,
  diskBytes: 1,
  hugePages: [],
  machineID: 'm',
  bootID: 'b',
  kernelVersion: '6',
  osImage: 'Debian',
  architecture: 'amd64',
  addresses: [],
  uplink: undefined,
};

describe('what the runtime can do', () => {
  const memory = memoryRuntime(systemClock);
  let answers = true;
  const reporter = startNodeReporter({
    assignment: {
      current: () => ({ version: null, node: 'n1', get: () => undefined, list: () => [] }),
    } as unknown as NodeReporterDeps['assignment'],
    runtime: {
      ...memory,
      async health(signal) {
        if (!answers) throw new RuntimeError('Unavailable', 'it restarts');
        return {
          ...(await memory.health(signal)),
          systemdCgroup: true,
          recursiveReadOnly: true,
          strictGroups: true,
        };
      },
    },
    images: { ensureSandboxImage: () => Promise.resolve() } as unknown as NodeReporterDeps['images'],
    facts: { read: () => Promise.resolve(MACHINE), ownMemory: () => 1 },
    hub: createStatusHub(systemClock),
    clock: systemClock,
    log: jsonLog(() => undefined),
    agentVersion: '1',
  });
  after(() => reporter.close());
  const able = (): readonly boolean[] => [
    reporter.systemdCgroup(),
    reporter.recursiveReadOnly(),
    reporter.strictGroups(),
  ];

  it('is what it told last, also while it does not answer', { timeout: 300_000 }, async () => {
    await reporter.ready;
    assert.deepEqual(able(), [true, true, true]);
    answers = false;
    // At the next look, which this one asks for.
    reporter.noteGrowth([]);
    await unreachable();
    assert.deepEqual(able(), [true, true, true]);
  });

  async function unreachable(): Promise<void> {
    for (;;) {
      try {
        await reporter.needRuntime();
      } catch (cause) {
        assert.match(String(cause), /it restarts/);
        return;
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }
});

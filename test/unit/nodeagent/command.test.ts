/** Commands in containers, with a runtime that fails at first. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { taskCommands } from '../../../nodeagent/adapters/cri/command.ts';
import type { GrpcClient } from '../../../nodeagent/adapters/cri/grpc.ts';
import { TASKS } from '../../../nodeagent/adapters/cri/task-messages.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { RuntimeError } from '../../../nodeagent/ports/container-runtime.ts';
import { makeFolder } from '../../support/folder.ts';

describe('commands in a container', () => {
  it('looks for what an agent before left running until it has seen it, and once', async (t) => {
    const folder = makeFolder('plumbline-commands-');
    t.after(() => removeFolder(folder));
    const asked: string[] = [];
    const client = {
      unary: async (method: { readonly path: string }) => {
        asked.push(method.path);
        if (method.path !== TASKS.processes.path || asked.length === 1)
          throw new RuntimeError('Unavailable', 'not now');
        return { processes: [] };
      },
    } as unknown as GrpcClient;
    const commands = taskCommands({
      client,
      folder,
      run: () => assert.fail('nothing is run'),
      clock: systemClock,
    });
    for (let times = 0; times < 3; times += 1)
      await assert.rejects(commands.run('c1', ['true'], 1000, new AbortController().signal), /not now/);
    assert.deepEqual(asked, [TASKS.processes.path, TASKS.processes.path, TASKS.container.path, TASKS.container.path]);
  });
});

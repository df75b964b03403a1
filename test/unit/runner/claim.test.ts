/** Names that one process of the machine has at a time. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { claimOnMachine } from '../../support/claim.ts';
import { tied } from '../../support/tied.ts';

const NAME = `what ${process.pid} tries`;
const FILE = `/run/lock/plumbline-test-${NAME.replaceAll(' ', '-')}`;
const CLAIM = `import('./test/support/claim.ts').then(({ claimOnMachine }) => claimOnMachine('${NAME}')).then(
  () => { console.log('held'); setInterval(() => undefined, 1000); }, ({ message }) => console.log(message))`;
const TAKEN = `another test run of this machine uses ${NAME}; wait for its end`;

describe(
  'a name that is claimed on the machine',
  { skip: process.platform === 'linux' ? false : 'needs Linux' },
  () => {
    /** What another process says that claims it, in a network namespace of its own where it may make one. */
    async function another(): Promise<{ said: string; kill: () => Promise<void> }> {
      const apart = process.getuid?.() === 0 ? ['unshare', '--net', '--'] : [];
      const [program, ...args] = tied(...apart, process.execPath, '--import', 'tsx', '--eval', CLAIM);
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'close');
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      return {
        said: line.toString().trim(),
        kill: async () => {
          child.kill('SIGKILL');
          await ended;
        },
      };
    }

    it('is had by one at a time, and by the next once it is let go', async () => {
      const release = await claimOnMachine(NAME);
      await assert.rejects(claimOnMachine(NAME), { message: TAKEN });
      assert.equal((await another()).said, TAKEN);
      await release();
      assert.equal(existsSync(FILE), false);
      await (
        await claimOnMachine(NAME)
      )();
    });

    it('is let go by a process that is killed', async () => {
      const { said, kill } = await another();
      assert.equal(said, 'held');
      await assert.rejects(claimOnMachine(NAME), { message: TAKEN });
      await kill();
      // The kernel closes what it had one after the other.
      for (;;) {
        const release = await claimOnMachine(NAME).catch(() => undefined);
        if (release) return await release();
      }
    });
  },
);

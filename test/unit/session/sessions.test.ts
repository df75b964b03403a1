import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { RetryableError } from '../../../reconciler/core/errors.ts';
import { type Session, Sessions } from '../../../reconciler/session/sessions.ts';
import { MemoryLog } from '../runtime/world.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

class FakeSession implements Session {
  readonly ended: Promise<Error | undefined>;
  end: (reason: Error | undefined) => void = () => undefined;
  closed = false;
  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }
  async close(): Promise<void> {
    this.closed = true;
    this.end(undefined);
  }
}

/** As a store ends a session: an error holds the object whose method made it, until its stack is read. */
class Thrower {
  throws(): Error {
    return lost();
  }
}

function endByThrowing(session: FakeSession | undefined): WeakRef<object> {
  const thrower = new Thrower();
  session?.end(thrower.throws());
  return new WeakRef(thrower);
}

const lost = (): Error => new RetryableError('StoreLost', 'the store was emptied');

/** `openings`: what each opening of a session comes to; the sessions themselves where it is not said. */
function world(openings: readonly (Error | undefined)[] = []) {
  const sessions: FakeSession[] = [];
  const said: string[] = [];
  /** What whoever asks meanwhile is told; undefined while there is a session. */
  let meanwhile: (() => string) | undefined;
  let told: (() => void) | undefined;
  let tried = 0;
  const all = new Sessions({
    async open(_signal, beforeApi) {
      const fault = openings[tried++];
      if (fault) throw fault;
      await beforeApi();
      const session = new FakeSession();
      sessions.push(session);
      told?.();
      return session;
    },
    async answerMeanwhile(why) {
      meanwhile = why;
      return {
        async close() {
          meanwhile = undefined;
        },
      };
    },
    clock: Object.assign(new SystemClock(), { sleep: () => Promise.resolve() }),
    log: new MemoryLog(),
    progress: (line) => {
      said.push(meanwhile === undefined ? line : `${line} [${meanwhile()}]`);
    },
  });
  return {
    all,
    sessions,
    said,
    opened: (count: number): Promise<void> =>
      new Promise((resolve) => {
        told = () => {
          if (sessions.length >= count) resolve();
        };
        told();
      }),
    answersMeanwhile: () => meanwhile !== undefined,
  };
}

describe('sessions', () => {
  const { signal } = new AbortController();

  it('follow one another when the store is lost, the earlier one closed first', async () => {
    const { all, sessions, opened, answersMeanwhile } = world();
    await all.start(signal);
    sessions[0]?.end(lost());
    await opened(2);
    assert.equal(sessions[0]?.closed, true);
    assert.equal(sessions[1]?.closed, false);
    assert.equal(answersMeanwhile(), false);
    await all.close();
  });

  it('that open while all is being closed are closed', async () => {
    const { all, sessions, opened } = world();
    await all.start(signal);
    sessions[0]?.end(lost());
    await opened(2);
    await all.close();
    assert.deepEqual(
      sessions.map(({ closed }) => closed),
      [true, true],
    );
  });

  it('are tried until one opens; each new reason is said once, and who asks meanwhile is told it', async () => {
    const away = new Error('Git is away');
    const { all, sessions, said, opened } = world([undefined, away, away, new Error('Redis is away')]);
    await all.start(signal);
    sessions[0]?.end(lost());
    await opened(2);
    await all.close();
    assert.deepEqual(said.slice(0, 3), [
      'the store was emptied: rebuilding all state from Git and the nodes',
      'the state could not be rebuilt yet: Git is away; trying on [the state is being rebuilt from Git and the nodes]',
      'the state could not be rebuilt yet: Redis is away; trying on [the state could not be rebuilt yet: Git is away]',
    ]);
  });

  it('of which the first meets a lost store begin with a rebuild; with any other trouble the start fails', async () => {
    const rebuilt = world([lost()]);
    await rebuilt.all.start(signal);
    assert.equal(rebuilt.sessions.length, 1);
    await rebuilt.all.close();
    await assert.rejects(world([new Error('the machine is on fire')]).all.start(signal), /on fire/);
  });

  it('hold nothing of one that ended, nor of what ended it', async () => {
    const { all, sessions, opened } = world();
    await all.start(signal);
    const ended = [new WeakRef(sessions[0] as object), endByThrowing(sessions[0])];
    sessions.length = 0;
    await opened(1);
    for (let turn = 0; turn < 3; turn += 1) {
      // What a WeakRef was made of is held until the turn ends.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      collectGarbage();
    }
    assert.deepEqual(
      ended.map((one) => one.deref()),
      [undefined, undefined],
    );
    await all.close();
  });

  it('end with the reason when one ends for another than a lost store', async () => {
    const { all, sessions } = world();
    await all.start(signal);
    sessions[0]?.end(new Error('a bug'));
    assert.equal((await all.failed).message, 'a bug');
    await all.close();
    assert.equal(sessions.length, 1);
  });
});

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { withDefaultTag } from '../../../contracts/objects/image-name.ts';
import { RegistryLogin } from '../../../nodeagent/core/image/keyring.ts';
import { createImagePuller, type ImagePuller } from '../../../nodeagent/loops/image-puller.ts';
import type { Clock } from '../../../nodeagent/ports/clock.ts';
import type { ImageStore } from '../../../nodeagent/ports/image-store.ts';
import { limitSignals } from '../../../contracts/signals.ts';

/** A registry that answers when the test says so. */
class SlowImages {
  readonly begun: {
    readonly image: string;
    readonly login: RegistryLogin | undefined;
    readonly signal: AbortSignal;
    readonly finish: (ref: string) => void;
    readonly refuse: (why: Error) => void;
  }[] = [];
  private watchers: (() => void)[] = [];
  readonly store = {
    find: async () => undefined,
    pull: (image: string, login: RegistryLogin | undefined, signal: AbortSignal) =>
      new Promise<string>((resolve, reject) => {
        this.begun.push({ image, login, signal, finish: resolve, refuse: reject });
        signal.addEventListener('abort', () => reject(new Error('cancelled')), { once: true });
        for (const watcher of this.watchers.splice(0)) watcher();
      }),
  } as unknown as ImageStore;
  async pull(index: number) {
    while (this.begun[index] === undefined)
      await new Promise<void>((resolve) => {
        this.watchers.push(resolve);
      });
    return this.begun[index];
  }
}

describe('image puller', () => {
  let images: SlowImages;
  let puller: ImagePuller;
  let late: () => void;
  beforeEach(() => {
    images = new SlowImages();
    const clock: Clock = {
      ...systemClock,
      deadline: (ms, ...signals) =>
        limitSignals(
          (_ms, then) => {
            late = then;
            return () => undefined;
          },
          ms,
          ...signals,
        ),
    };
    puller = createImagePuller(images.store, clock, new AbortController().signal, () => undefined);
  });
  const ensure = (signal = new AbortController().signal, logins: readonly RegistryLogin[] = []) =>
    puller.ensure('app:1', 'IfNotPresent', logins, () => undefined, signal);

  it('pulls once for all who ask, and goes on when one of them leaves', async () => {
    const leaver = new AbortController();
    const [first, second] = [ensure(leaver.signal), ensure()];
    const pull = await images.pull(0);
    leaver.abort();
    assert.equal((await first).ok, false);
    assert.equal(pull.signal.aborted, false);
    pull.finish('ref');
    assert.deepEqual(await second, { ok: true });
    assert.equal(images.begun.length, 1);
  });

  it('ends a pull that nobody waits for, and begins anew for the next', async () => {
    const leaver = new AbortController();
    const first = ensure(leaver.signal);
    const pull = await images.pull(0);
    leaver.abort();
    await first;
    assert.equal(pull.signal.aborted, true);
    const second = ensure();
    (await images.pull(1)).finish('ref');
    assert.deepEqual(await second, { ok: true });
  });

  it('gives a pull up that takes too long, for everybody', async () => {
    const asked = [ensure(), ensure()];
    const pull = await images.pull(0);
    late();
    for (const outcome of await Promise.all(asked))
      assert.match(outcome.ok ? '' : `${outcome.reason} ${outcome.message}`, /^ErrImagePull not done within \d+ ms$/);
    assert.equal(pull.signal.aborted, true);
    const again = ensure();
    (await images.pull(1)).finish('ref');
    assert.deepEqual(await again, { ok: true });
  });

  it('tries one login after the other, and shares a pull with who has the same ones only', async () => {
    const [a, b] = [new RegistryLogin('ann', 'x'), new RegistryLogin('bob', 'y')];
    const signal = new AbortController().signal;
    const [both, nobody, same] = [ensure(signal, [a, b]), ensure(), ensure(signal, [a, new RegistryLogin('bob', 'y')])];
    const [first, second] = [await images.pull(0), await images.pull(1)];
    assert.deepEqual([first.login, second.login], [a, undefined]);
    first.refuse(new Error('denied'));
    const third = await images.pull(2);
    assert.equal(third.login, b);
    third.finish('ref');
    second.refuse(new Error('denied'));
    assert.deepEqual([await both, await same], [{ ok: true }, { ok: true }]);
    assert.deepEqual(await nobody, { ok: false, reason: 'ErrImagePull', message: 'denied' });
    assert.equal(images.begun.length, 3);
  });

  it('asks for the newest where a name has neither tag nor digest: it may be the beginning of an id', async () => {
    const done = puller.ensure('cafe', 'IfNotPresent', [], () => undefined, new AbortController().signal);
    const pull = await images.pull(0);
    assert.equal(pull.image, 'cafe:latest');
    pull.finish('sha256:1');
    assert.equal((await done).ok, true);
  });
});

describe('the name of an image', () => {
  for (const [name, asked] of [
    ['nginx', 'nginx:latest'],
    ['registry:5000/team/app', 'registry:5000/team/app:latest'],
    ['registry:5000/team/app:1', 'registry:5000/team/app:1'],
    [`app@sha256:${'a'.repeat(64)}`, `app@sha256:${'a'.repeat(64)}`],
    [`app:1@sha256:${'a'.repeat(64)}`, `app:1@sha256:${'a'.repeat(64)}`],
  ] as const)
    it(`${name} is asked for as ${asked}`, () => assert.equal(withDefaultTag(name), asked));
});

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { withDefaultTag } from '../../../contracts/objects/image-name.ts';
import { RegistryLogin } from '../../../nodeagent/core/image/keyring.ts';
import { createImagePuller, type ImagePuller } from '../../../nodeagent/loops/image-puller.ts';
import type { Clock } from '../../../nodeagent/ports/clock.ts';
import type { ImageStore } from '../../../nodeagent/ports/image-store.ts';
import type { Download } from '../../../nodeagent/core/image/received.ts';
import { limitSignals } from '../../../contracts/signals.ts';
import { VirtualClock } from '../metrics/virtual-clock.ts';

/** A registry that answers when the test says so. */
class SlowImages {
  readonly begun: {
    readonly image: string;
    readonly login: RegistryLogin | undefined;
    readonly signal: AbortSignal;
    readonly finish: (ref: string) => void;
    readonly refuse: (why: Error) => void;
  }[] = [];
  /** What the runtime tells of downloads; undefined where it does not. */
  downloads: readonly Download[] | undefined = [];
  private watchers: (() => void)[] = [];
  readonly store = {
    find: async () => undefined,
    downloads: async () => {
      if (this.downloads === undefined) throw new Error('unknown service');
      return this.downloads;
    },
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

describe('pulls at once', () => {
  const never = new AbortController().signal;
  let images: SlowImages;
  let puller: ImagePuller;
  beforeEach(() => {
    images = new SlowImages();
    puller = createImagePuller(images.store, new VirtualClock(), never, () => undefined);
  });
  const ensure = (image: string, signal = never) => puller.ensure(image, 'IfNotPresent', [], () => undefined, signal);
  const begun = async (): Promise<readonly string[]> => {
    await new Promise((resolve) => setImmediate(resolve));
    return images.begun.map(({ image }) => image);
  };

  it('are five of a registry, the next when one is done, and ten of all', async () => {
    const of = (registry: string): readonly string[] => [1, 2, 3, 4, 5, 6].map((n) => `${registry}/app:${n}`);
    const [a, b, c] = [of('a.example'), of('b.example'), of('c.example')];
    const done = [...a, ...b, ...c].map((image) => ensure(image));
    assert.deepEqual(await begun(), [...a.slice(0, 5), ...b.slice(0, 5)]);
    images.begun[0]?.finish('ref');
    assert.deepEqual(await done[0], { ok: true });
    // Of all that wait, the one that has waited longest for its turn among all.
    assert.deepEqual((await begun()).slice(10), ['c.example/app:1']);
    for (let n = 1; n < 18; n += 1) (await images.pull(n)).finish('ref');
    assert.ok((await Promise.all(done)).every(({ ok }) => ok));
    assert.deepEqual([...(await begun())].sort(), [...a, ...b, ...c].sort());
  });

  it('are not had by one that nobody waits for any more', async () => {
    const held = [1, 2, 3, 4, 5].map((n) => ensure(`a.example/app:${n}`));
    const leaver = new AbortController();
    const left = ensure('a.example/left:1', leaver.signal);
    const last = ensure('a.example/last:1');
    await begun();
    leaver.abort();
    assert.equal((await left).ok, false);
    images.begun[0]?.finish('ref');
    await held[0];
    assert.deepEqual((await begun()).slice(5), ['a.example/last:1']);
    for (let n = 1; n < 6; n += 1) (await images.pull(n)).finish('ref');
    assert.ok((await Promise.all([...held, last])).every(({ ok }) => ok));
  });
});

describe('a pull that takes long', () => {
  const never = new AbortController().signal;
  let images: SlowImages;
  let puller: ImagePuller;
  let clock: VirtualClock;
  let told: string[];
  beforeEach(() => {
    images = new SlowImages();
    clock = new VirtualClock();
    told = [];
    puller = createImagePuller(images.store, clock, never, () => undefined);
  });
  const ensure = (image: string, signal = never) =>
    puller.ensure(image, 'IfNotPresent', [], ({ reason, message }) => told.push(`${reason}: ${message}`), signal);

  it('is told of after 10 s, then each time that it has taken twice as long, and no more when it is done', async () => {
    const done = ensure('app:1');
    const pull = await images.pull(0);
    await clock.pass(4_000);
    images.downloads = [{ ref: 'layer', received: 3 * 2 ** 20, total: 5 * 2 ** 20 }];
    await clock.pass(5_999);
    assert.deepEqual(told, ['Pulling: Pulling image "app:1"']);
    await clock.pass(1);
    images.downloads = [];
    await clock.pass(29_999);
    pull.finish('ref');
    await done;
    await clock.pass(60_000);
    assert.deepEqual(told.slice(1), [
      'Pulling: Pulling image "app:1": 3.0 MiB received in 10s',
      'Pulling: Pulling image "app:1": 5.0 MiB received in 20s',
      'Pulled: Successfully pulled image "app:1" in 40s',
    ]);
  });

  it('says that it tells of others too, and only the time where the runtime tells nothing', async () => {
    const done = [ensure('app:1'), ensure('other:1')];
    await images.pull(1);
    await clock.pass(10_000);
    images.downloads = undefined;
    await clock.pass(10_000);
    assert.deepEqual(told.slice(2), [
      'Pulling: Pulling image "app:1": 0 B of it and 1 other image received in 10s',
      'Pulling: Pulling image "other:1": 0 B of it and 1 other image received in 10s',
      'Pulling: Pulling image "app:1": not done after 20s',
      'Pulling: Pulling image "other:1": not done after 20s',
    ]);
    for (const { finish } of images.begun) finish('ref');
    await Promise.all(done);
  });

  it('is told to each who waits for it', async () => {
    const done = [ensure('app:1'), ensure('app:1')];
    await images.pull(0);
    await clock.pass(10_000);
    assert.deepEqual(told.slice(2), Array(2).fill('Pulling: Pulling image "app:1": 0 B received in 10s'));
    images.begun[0]?.finish('ref');
    await Promise.all(done);
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

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openGitSource } from '../../../reconciler/adapters/git/index.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

for (const engine of ['isomorphic', 'native'] as const) {
  describe(`the mirror of a remote repository, read by ${engine} git`, () => {
    let repository: ScratchRepository;
    let source: GitSource;
    let cacheDir: string;
    beforeEach(async () => {
      repository = scratchRepository();
      cacheDir = join(repository.root, 'cache');
      source = await open();
    });
    afterEach(async () => {
      await source.close();
      repository.remove();
    });

    function open(maxPackBytes?: number): Promise<GitSource> {
      return openGitSource({
        url: `file://${repository.dir}`,
        branch: 'main',
        cacheDir,
        engine,
        ...(maxPackBytes !== undefined && { maxPackBytes }),
      });
    }

    /** Files of packs, by how their names end. */
    function packs(ending: string): string[] {
      const folder = join(cacheDir, 'objects', 'pack');
      return existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => name.endsWith(ending))
            .map((name) => join(folder, name))
        : [];
    }

    async function contentOf(sha: string, path: string): Promise<string> {
      const file = (await source.files(sha, signal)).find((f) => f.path === path);
      return Buffer.from(await source.blob(file?.oid ?? '', 1_000_000, signal)).toString('utf8');
    }

    it('keeps few packs, however often something is pushed, and all of the history', async () => {
      const shas: string[] = [];
      for (let n = 0; n < 60; n++) {
        shas.push(repository.commit([{ path: 'a', content: `content ${n}\n` }]));
        const head = await source.head(signal);
        assert.equal(head.state === 'at' && head.revision.sha, shas.at(-1));
        assert.ok(packs('.pack').length <= 50, `${packs('.pack').length} packs after ${n + 1} pushes`);
      }
      assert.equal(packs('.pack').length, packs('.idx').length);
      assert.deepEqual(
        (await source.log(shas.at(-1)!, 200, signal)).map((r) => r.sha),
        shas.toReversed(),
      );
      assert.equal(await contentOf(shas[3]!, 'a'), 'content 3\n');
      assert.equal(existsSync(`${cacheDir}.renewed`), false);
    });

    const damages: readonly [name: string, how: (good: Buffer) => Buffer | undefined][] = [
      ['gone', () => undefined],
      ['empty', () => Buffer.alloc(0)],
      ['cut off', (good) => good.subarray(0, good.length >> 1)],
      ['of other bytes', (good) => Buffer.concat([good.subarray(0, 12), Buffer.alloc(good.length - 12)])],
    ];
    for (const ending of ['.pack', '.idx'] as const) {
      for (const [name, how] of damages) {
        it(`is fetched anew when a ${ending} file of it is ${name}`, async () => {
          const before = repository.commit([{ path: 'a', content: 'one' }]);
          await source.head(signal);
          const sha = repository.commit([
            { path: 'a', content: 'two' },
            { path: 'b/c', content: 'x'.repeat(500) },
          ]);
          assert.equal((await source.head(signal)).state, 'at');
          await source.close();
          for (const path of packs(ending)) {
            const bad = how(readFileSync(path));
            rmSync(path);
            if (bad) writeFileSync(path, bad);
          }
          source = await open();
          const head = await source.head(signal);
          assert.equal(head.state === 'at' && head.revision.sha, sha);
          assert.equal(await contentOf(sha, 'b/c'), 'x'.repeat(500));
          assert.equal(await contentOf(before, 'a'), 'one');
        });
      }
    }

    it('is fetched anew for objects that go missing under a reader, once for all of them', async () => {
      const files = Array.from({ length: 8 }, (_, i) => ({ path: `f${i}`, content: `${i}\n` }));
      const sha = repository.commit(files);
      await source.head(signal);
      const listed = await source.files(sha, signal);
      for (const path of [...packs('.pack'), ...packs('.idx')]) rmSync(path);
      // Whoever has the file open may still read from it.
      await source.close();
      const read = await Promise.all(
        listed.map(async ({ path, oid }) => [path, Buffer.from(await source.blob(oid, 100, signal)).toString('utf8')]),
      );
      assert.deepEqual(Object.fromEntries(read), Object.fromEntries(files.map(({ path, content }) => [path, content])));
    });

    it('stays as it is when what it lacks cannot be fetched, and says so', async () => {
      const sha = repository.commit([{ path: 'a', content: 'one' }]);
      await source.head(signal);
      for (const path of packs('.idx')) renameSync(path, `${path}.away`);
      await source.close();
      renameSync(repository.dir, `${repository.dir}.away`);
      await assert.rejects(
        source.files(sha, signal),
        (error: unknown) =>
          (error instanceof PlumbError && error.retry === 'backoff') ||
          (error as PlumbError).code === 'RevisionNotFound',
      );
      renameSync(`${repository.dir}.away`, repository.dir);
      assert.equal(packs('.pack').length, 1);
      assert.equal((await source.head(signal)).state, 'at');
      assert.equal(await contentOf(sha, 'a'), 'one');
    });

    it('does not take more than its limit in one fetch, nor asks for the same again', async () => {
      await source.close();
      source = await open(50_000);
      const before = repository.commit([{ path: 'a', content: 'small' }]);
      await source.head(signal);
      const large = repository.commit([{ path: 'a', content: randomBytes(100_000).toString('base64') }]);
      for (let look = 0; look < 2; look++) {
        await assert.rejects(source.head(signal), (error: unknown) => {
          assert.ok(error instanceof PlumbError);
          assert.deepEqual([error.code, error.retry], ['RepositoryTooLarge', 'never']);
          assert.match(
            error.message,
            /^the repository sends more than 50000 bytes for one fetch: keep manifests in a repository of their own$/,
          );
          return true;
        });
      }
      assert.ok(packs('.pack').every((path) => statSync(path).size < 50_000));
      repository.git(['update-ref', 'refs/heads/main', before]);
      const after = repository.commit([{ path: 'a', content: 'small again' }]);
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, after);
      assert.notEqual(after, large);
    });

    it('lists a hundred thousand files, and those of a commit that changes one', async () => {
      const commitOf = (message: string, ...rest: readonly string[]): string =>
        [
          'commit refs/heads/main',
          'committer Ada <a@x.test> 0 +0000',
          `data ${message.length}`,
          message,
          ...rest,
          '',
        ].join('\n');
      const all = Array.from({ length: 100_000 }, (_, i) => `M 100644 :1 d${i % 317}/f${i}.yaml`);
      repository.git(['fast-import', '--quiet'], `blob\nmark :1\ndata 5\na: b\n\n${commitOf('all', ...all)}`);
      const first = await source.head(signal);
      assert.equal(first.state, 'at');
      assert.equal((await source.files(first.revision.sha, signal)).length, 100_000);
      const one = ['from refs/heads/main^0', 'M 100644 inline d0/f0.yaml', 'data 5', 'c: d', ''];
      repository.git(['fast-import', '--quiet'], commitOf('one', ...one));
      const began = performance.now();
      const next = await source.head(signal);
      assert.equal(next.state, 'at');
      const files = await source.files(next.revision.sha, signal);
      console.log(
        `fetching and listing a commit that changes one of 100,000 files: ${Math.round(performance.now() - began)} ms`,
      );
      assert.equal(files.length, 100_000);
      assert.equal(await contentOf(next.revision.sha, 'd0/f0.yaml'), 'c: d\n');
    });

    it('has the newest of a history that is larger than one fetch, and follows it', async () => {
      await source.close();
      source = await open(50_000);
      const put = (name: string): string =>
        repository.commit([{ path: 'a', content: name + randomBytes(20_000).toString('base64') }]);
      for (let i = 0; i < 4; i++) put(`old ${i} `);
      const newest = put('newest ');
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, newest);
      assert.match(await contentOf(newest, 'a'), /^newest /);
      assert.deepEqual(
        (await source.log(newest, 10, signal)).map(({ sha }) => sha),
        [newest],
      );
      const next = put('next ');
      const moved = await source.head(signal);
      assert.equal(moved.state === 'at' && moved.revision.sha, next);
      assert.match(await contentOf(next, 'a'), /^next /);
      assert.equal((await source.log(next, 10, signal)).length, 2);
      // Damage is mended by as much as there was.
      for (const path of packs('.idx')) rmSync(path);
      await source.close();
      assert.equal((await source.head(signal)).state, 'at');
      assert.match(await contentOf(next, 'a'), /^next /);
    });

    it('drops what force-pushes left behind, and grows on where a whole history is larger than one fetch', async () => {
      await source.close();
      source = await open(50_000);
      const text = (): string => randomBytes(30_000).toString('latin1');
      for (let n = 0; n < 6; n++) {
        const sha = repository.commit([{ path: 'a', content: text() }], { branch: null, parent: '' });
        repository.git(['update-ref', 'refs/heads/main', sha]);
        assert.equal((await source.head(signal)).state, 'at');
      }
      const sizes = (): number => packs('.pack').reduce((sum, path) => sum + statSync(path).size, 0);
      assert.ok(sizes() < 200_000, `${sizes()} bytes`);
      for (let n = 0; n < 6; n++) {
        const sha = repository.commit([{ path: 'a', content: text() }]);
        const head = await source.head(signal);
        assert.equal(head.state === 'at' && head.revision.sha, sha);
      }
    });
  });
}

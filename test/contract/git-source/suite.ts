/** What every GitSource does, whatever engine reads it and however it reaches the repository. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { type ScratchRepository, scratchRepository } from './scratch-repository.ts';
import { inPatience } from '../../support/patience.ts';

export interface Variant {
  readonly name: string;
  /** Reads the repository in place: pushes are hinted at by file watches. */
  readonly local: boolean;
  /** Follows `branch`, `main` when absent, or what the repository's HEAD names when null. */
  open(repository: ScratchRepository, branch?: null): Promise<GitSource>;
}

const signal = inPatience(600_000);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const code =
  (wanted: string) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === wanted;
const AUTHOR = { name: 'Grace', email: 'grace@example.test' };

export function gitSourceSuite(variant: Variant): void {
  describe(`GitSource: ${variant.name}`, () => {
    let repository: ScratchRepository;
    let source: GitSource;
    beforeEach(async () => {
      repository = scratchRepository();
      source = await variant.open(repository);
    });
    afterEach(async () => {
      await source.close();
      repository.remove();
    });

    it('tells an unborn branch from one that was deleted', async () => {
      assert.deepEqual(await source.head(signal), { state: 'unborn' });
      const sha = repository.commit([{ path: 'a.yaml', content: 'a: 1\n' }]);
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, sha);
      repository.git(['update-ref', '-d', 'refs/heads/main']);
      assert.deepEqual(await source.head(signal), { state: 'missing' });
    });

    it('finds its branch, and that it is gone, among a hundred thousand refs', async () => {
      const sha = repository.commit([{ path: 'a', content: 'x' }]);
      const flood = Array.from({ length: 100_000 }, (_, i) => `${sha} refs/tags/v${String(i).padStart(6, '0')}\n`);
      writeFileSync(join(repository.dir, 'packed-refs'), `# pack-refs with: sorted \n${flood.join('')}`);
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, sha);
      assert.equal((await source.resolve('v099999', signal)).sha, sha);
      repository.git(['update-ref', '-d', 'refs/heads/main']);
      assert.deepEqual(await source.head(signal), { state: 'missing' });
    });

    it('follows what the HEAD of the repository names when nobody names a branch', async () => {
      repository.git(['symbolic-ref', 'HEAD', 'refs/heads/trunk']);
      const sha = repository.commit([{ path: 'a', content: 'x' }], { branch: 'trunk' });
      repository.commit([{ path: 'a', content: 'y' }], { branch: 'aside' });
      const follower = await variant.open(repository, null);
      try {
        assert.deepEqual(follower.follows, { branch: 'trunk' });
        const head = await follower.head(signal);
        assert.equal(head.state === 'at' && head.revision.sha, sha);
      } finally {
        await follower.close();
      }
      if (variant.local) return;
      renameSync(repository.dir, `${repository.dir}.away`);
      const later = await variant
        .open(repository, null)
        .finally(() => renameSync(`${repository.dir}.away`, repository.dir));
      assert.deepEqual(later.follows, { branch: 'trunk' });
      await later.close();
    });

    it('calls a branch missing when only others exist', async () => {
      repository.commit([{ path: 'a', content: 'x' }], { branch: 'other' });
      assert.deepEqual(await source.head(signal), { state: 'missing' });
    });

    it('reads a commit with its people, time, parents and message', async () => {
      const first = repository.commit([{ path: 'a', content: '1' }], { message: 'One' });
      const second = repository.commit([{ path: 'a', content: '2' }], { message: 'Two\n\nBody with ümlaut' });
      const head = await source.head(signal);
      assert.ok(head.state === 'at');
      assert.equal(head.revision.sha, second);
      assert.deepEqual(head.revision.parents, [first]);
      assert.deepEqual(head.revision.author, { name: 'Ada', email: 'ada@example.test' });
      assert.match(head.revision.committedAt, /^2026-01-01T00:\d\d:00Z$/);
      assert.equal(head.revision.message.trimEnd(), 'Two\n\nBody with ümlaut');
      assert.equal(head.revision.tree, repository.git(['rev-parse', `${second}^{tree}`]));
    });

    it('lists files of nested folders in order of path, with modes and blob ids', async () => {
      const sha = repository.commit([
        { path: 'b/z.yaml', content: 'z' },
        { path: 'b.yaml', content: 'b' },
        { path: 'a/b/c/d.yaml', content: 'd' },
        { path: 'run.sh', content: '#!', mode: '100755' },
      ]);
      await source.head(signal);
      const files = await source.files(sha, signal);
      assert.deepEqual(
        files.map((f) => [f.path, f.mode]),
        [
          ['a/b/c/d.yaml', '100644'],
          ['b.yaml', '100644'],
          ['b/z.yaml', '100644'],
          ['run.sh', '100755'],
        ],
      );
      assert.equal(text(await source.blob(files[0]!.oid, 100, signal)), 'd');
      assert.equal(files[0]!.oid, repository.git(['rev-parse', `${sha}:a/b/c/d.yaml`]));
    });

    it('shows symlinks and submodules by their mode', async () => {
      const sha = repository.commit([{ path: 'link.yaml', content: '../../etc/passwd', mode: '120000' }], {
        submodules: { vendor: '1'.repeat(40) },
      });
      await source.head(signal);
      assert.deepEqual(
        (await source.files(sha, signal)).map((f) => [f.path, f.mode]),
        [
          ['link.yaml', '120000'],
          ['vendor', '160000'],
        ],
      );
    });

    it('marks bytes of a path that are not UTF-8, and still reads the file', async () => {
      const sha = repository.commit([{ path: Buffer.from('caf\xe9.yaml', 'latin1'), content: 'x: 1' }]);
      await source.head(signal);
      const [file] = await source.files(sha, signal);
      assert.equal(file?.path, 'caf\ufffd.yaml');
      assert.equal(text(await source.blob(file.oid, 100, signal)), 'x: 1');
    });

    it('refuses a big blob, loose or packed, and reads one of just the limit', async () => {
      const big = Buffer.alloc(3_000_000, 'plumb ');
      const sha = repository.commit([
        { path: 'big.yaml', content: big },
        { path: 'fits.yaml', content: 'x'.repeat(1000) },
      ]);
      await source.head(signal);
      const [bigFile, fits] = await source.files(sha, signal);
      await assert.rejects(source.blob(bigFile!.oid, 2_999_999, signal), code('BlobTooLarge'));
      assert.equal((await source.blob(bigFile!.oid, 3_000_000, signal)).length, 3_000_000);
      assert.equal((await source.blob(fits!.oid, 1000, signal)).length, 1000);
      await assert.rejects(source.blob(fits!.oid, 999, signal), code('BlobTooLarge'));
      repository.git(['gc', '--quiet', '--prune=now']);
      await assert.rejects(source.blob(bigFile!.oid, 2_999_999, signal), code('BlobTooLarge'));
    });

    it('knows the size of a blob that is stored as a delta', async () => {
      const base = Array.from({ length: 3000 }, (_, i) => `line ${i * 7919}`).join('\n');
      repository.commit([{ path: 'a', content: base }]);
      repository.commit([{ path: 'a', content: `${base}\nmore` }]);
      const sha = repository.commit([{ path: 'a', content: `${base}\nmore\nand more` }]);
      repository.git(['repack', '-adfq', '--depth=10']);
      await source.head(signal);
      const log = await source.log(sha, 3, signal);
      for (const revision of log) {
        const [file] = await source.files(revision.sha, signal);
        const bytes = Number(repository.git(['cat-file', '-s', file!.oid]));
        assert.equal((await source.blob(file!.oid, bytes, signal)).length, bytes);
        await assert.rejects(source.blob(file!.oid, bytes - 1, signal), code('BlobTooLarge'));
      }
    });

    it('reads on while git gc packs, prunes and packs refs under it', async () => {
      const first = repository.commit([{ path: 'a', content: 'one' }]);
      await source.head(signal);
      await source.files(first, signal);
      repository.git(['gc', '--quiet', '--prune=now']);
      const second = repository.commit([
        { path: 'a', content: 'two' },
        { path: 'b/c', content: 'three' },
      ]);
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, second);
      const files = await source.files(second, signal);
      repository.git(['repack', '-adq']);
      repository.git(['pack-refs', '--all']);
      assert.deepEqual(await Promise.all(files.map(async (f) => text(await source.blob(f.oid, 100, signal)))), [
        'two',
        'three',
      ]);
      const again = await source.head(signal);
      assert.equal(again.state === 'at' && again.revision.sha, second);
      assert.deepEqual(
        (await source.log(second, 10, signal)).map((r) => r.sha),
        [second, first],
      );
    });

    if (variant.local) {
      const damages: readonly [name: string, how: (good: Buffer) => Buffer | undefined][] = [
        ['missing', () => undefined],
        ['empty', () => Buffer.alloc(0)],
        ['one byte', (good) => good.subarray(0, 1)],
        ['cut off', (good) => good.subarray(0, good.length >> 1)],
        ['of other bytes', (good) => Buffer.concat([good.subarray(0, -8), Buffer.alloc(8)])],
      ];
      for (const [name, how] of damages) {
        it(`asks to try again for an object that is ${name}, and reads it once it is repaired`, async () => {
          const sha = repository.commit([{ path: 'a/b.yaml', content: `b: ${'1'.repeat(400)}\n` }]);
          await source.head(signal);
          const [tree, blob] = [
            repository.git(['rev-parse', `${sha}:a`]),
            repository.git(['rev-parse', `${sha}:a/b.yaml`]),
          ];
          const retried = (error: unknown): boolean =>
            error instanceof PlumbError &&
            error.retry === 'backoff' &&
            ['ObjectMissing', 'ObjectUnreadable'].includes(error.code) &&
            error.message.includes(error.message.includes(tree) ? tree : blob);
          const repairTree = repository.damage(tree, how);
          await assert.rejects(source.files(sha, signal), retried);
          repairTree();
          const repairBlob = repository.damage(blob, how);
          const [file] = await source.files(sha, signal);
          await assert.rejects(source.blob(file!.oid, 1000, signal), retried);
          repairBlob();
          assert.equal((await source.blob(file!.oid, 1000, signal)).length, 404);
          const repairCommit = repository.damage(sha, how);
          await assert.rejects(
            source.head(signal),
            (error: unknown) => error instanceof PlumbError && error.retry === 'backoff',
          );
          repairCommit();
          assert.equal((await source.head(signal)).state, 'at');
        });
      }
    }

    it('cuts trees that describe more than they hold, and names where', async () => {
      const blob = repository.git(['hash-object', '-w', '--stdin'], 'x');
      const tree = (line: (n: number) => string, n: number): string =>
        repository.git(['mktree'], Array.from({ length: n }, (_, i) => `${line(i)}\n`).join(''));
      let wide = tree((i) => `100644 blob ${blob}\t${i}.yaml`, 20);
      for (let depth = 0; depth < 5; depth++) wide = tree((i) => `040000 tree ${wide}\td${i}`, 20);
      let hollow = tree(String, 0);
      for (let depth = 0; depth < 17; depth++) hollow = tree((i) => `040000 tree ${hollow}\td${i}`, 2);
      let deep = tree((i) => `100644 blob ${blob}\t${i}.yaml`, 1);
      for (let depth = 0; depth < 66; depth++) deep = tree(() => `040000 tree ${deep}\td`, 1);
      let long = tree((i) => `100644 blob ${blob}\t${i}.yaml`, 40_000);
      for (let depth = 0; depth < 4; depth++) long = tree(() => `040000 tree ${long}\t${'n'.repeat(250)}`, 1);
      const table = [
        [wide, /^d0\/d1\/d.* 200000 files/],
        [hollow, /^d0\/d0\/.* 50000 folders/],
        [deep, /^d\/d\/d\/.* 64 folders deep/],
        [long, /^n{120}\.\.\. .* paths have more than/],
      ] as const;
      for (const [root, message] of table) {
        const sha = repository.git(['commit-tree', root, '-m', 'bomb']);
        repository.git(['update-ref', 'refs/heads/main', sha]);
        await source.head(signal);
        await assert.rejects(
          source.files(sha, signal),
          (error: unknown) => code('TreeTooLarge')(error) && message.test((error as Error).message),
        );
      }
    });

    it('refuses a commit whose tree is something else', async () => {
      const blob = repository.git(['hash-object', '-w', '--stdin'], 'x');
      const raw = `tree ${blob}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nno tree\n`;
      const sha = repository.git(['hash-object', '-t', 'commit', '-w', '--stdin', '--literally'], raw);
      if (variant.local) await assert.rejects(source.files(sha, signal), code('TreeInvalid'));
    });

    it('follows a force-push to unrelated history', async () => {
      repository.commit([{ path: 'a', content: 'one' }]);
      await source.head(signal);
      const other = repository.commit([{ path: 'b', content: 'two' }], { branch: null, parent: '' });
      repository.git(['update-ref', 'refs/heads/main', other]);
      const head = await source.head(signal);
      assert.equal(head.state === 'at' && head.revision.sha, other);
      assert.deepEqual(
        (await source.files(other, signal)).map((f) => f.path),
        ['b'],
      );
    });

    it('resolves ids, beginnings of ids, branches, tags and ancestors', async () => {
      const shas = [1, 2, 3].map((n) => repository.commit([{ path: 'a', content: String(n) }]));
      repository.git(['tag', 'light', shas[0]!]);
      repository.git(['tag', '-a', '-m', 'release', 'v1', shas[1]!]);
      await source.head(signal);
      const table: readonly [string, string][] = [
        [shas[0]!, shas[0]!],
        [shas[1]!.slice(0, 12), shas[1]!],
        ['main', shas[2]!],
        ['refs/heads/main', shas[2]!],
        ['HEAD', shas[2]!],
        ['@', shas[2]!],
        ['HEAD~1', shas[1]!],
        ['HEAD~2', shas[0]!],
        ['HEAD^', shas[1]!],
        ['HEAD^^', shas[0]!],
        ['main~1^1', shas[0]!],
        ['light', shas[0]!],
        ['v1', shas[1]!],
        ['v1~1', shas[0]!],
      ];
      for (const [rev, wanted] of table) assert.equal((await source.resolve(rev, signal)).sha, wanted, rev);
      for (const rev of ['nothing', 'HEAD~3', 'HEAD^2', 'f'.repeat(40), 'deadbeef', '', '--help', '../../etc']) {
        await assert.rejects(source.resolve(rev, signal), code('RevisionNotFound'), rev);
      }
    });

    it('resolves a branch that it does not follow, as it is now', async () => {
      repository.commit([{ path: 'a', content: '1' }]);
      await source.head(signal);
      const first = repository.commit([{ path: 'a', content: '2' }], { branch: 'next' });
      assert.equal((await source.resolve('next', signal)).sha, first);
      const second = repository.commit([{ path: 'a', content: '3' }], { branch: 'next' });
      assert.equal((await source.resolve('next', signal)).sha, second);
      assert.equal((await source.resolve('refs/heads/next~1', signal)).sha, first);
      assert.deepEqual(
        (await source.files(second, signal)).map((f) => f.path),
        ['a'],
      );
    });

    it('logs first parents, newest first, no more than asked', async () => {
      const one = repository.commit([{ path: 'a', content: '1' }]);
      const two = repository.commit([{ path: 'a', content: '2' }]);
      const three = repository.commit([{ path: 'a', content: '3' }]);
      await source.head(signal);
      assert.deepEqual(
        (await source.log(three, 2, signal)).map((r) => r.sha),
        [three, two],
      );
      assert.deepEqual(
        (await source.log(three, 50, signal)).map((r) => r.sha),
        [three, two, one],
      );
    });

    it('pushes a commit with the tree of an earlier one, through the hooks', async () => {
      const one = repository.commit([{ path: 'a', content: '1' }]);
      const two = repository.commit([{ path: 'a', content: '2' }]);
      const marker = join(repository.root, 'hook-ran');
      hook(repository, 'post-receive', `cat > '${marker}'`);
      const made = await source.commitTree({ restore: one, message: 'Roll back\n', author: AUTHOR }, signal);
      assert.deepEqual(made.parents, [two]);
      assert.deepEqual(made.author, AUTHOR);
      assert.equal(repository.git(['rev-parse', 'refs/heads/main']), made.sha);
      assert.equal(repository.git(['show', `${made.sha}:a`]), '1');
      repository.git(['fsck', '--strict']);
      assert.ok(existsSync(marker));
      assert.equal((await source.files(made.sha, signal)).length, 1);
    });

    it("reports a push that a hook refuses, with the hook's words", async () => {
      const one = repository.commit([{ path: 'a', content: '1' }]);
      const two = repository.commit([{ path: 'a', content: '2' }]);
      hook(repository, 'pre-receive', 'echo "apps.yaml:3:1 UnknownField" >&2; exit 1');
      await assert.rejects(
        source.commitTree({ restore: one, message: 'no', author: AUTHOR }, signal),
        (error: unknown) => {
          assert.ok(code('PushRejected')(error));
          assert.match(String(error), /apps\.yaml:3:1 UnknownField/);
          return true;
        },
      );
      assert.equal(repository.git(['rev-parse', 'refs/heads/main']), two);
    });

    it('hints by polling, and at once after a push where the repository is at hand', async () => {
      mkdirSync(join(repository.dir, 'plumbline'), { recursive: true });
      repository.commit([{ path: 'a', content: '1' }]);
      const stop = new AbortController();
      const hints = source.hints(variant.local ? 3600 : 0.05, stop.signal)[Symbol.asyncIterator]();
      const next = hints.next();
      await new Promise((resolve) => setImmediate(resolve));
      if (variant.local) writeFileSync(join(repository.dir, 'plumbline', 'pushed'), 'now');
      assert.equal((await next).done, false);
      const last = hints.next();
      stop.abort();
      for (let result = await last; result.done !== true; result = await hints.next());
    });

    it('says that a repository which went away cannot be reached', async () => {
      repository.commit([{ path: 'a', content: '1' }]);
      await source.head(signal);
      renameSync(repository.dir, `${repository.dir}.away`);
      const error: unknown = await source.head(signal).then(
        () => undefined,
        (e: unknown) => e,
      );
      renameSync(`${repository.dir}.away`, repository.dir);
      assert.ok(code('GitUnreachable')(error) || code('GitAccessDenied')(error), String(error));
      assert.equal((await source.head(signal)).state, 'at');
    });

    it('stops when it is told to', async () => {
      repository.commit([{ path: 'a', content: '1' }]);
      await source.head(signal);
      const stopped = AbortSignal.abort(new Error('enough'));
      await assert.rejects(source.files((await source.resolve('HEAD', signal)).sha, stopped), /enough/);
    });
  });
}

function hook(repository: ScratchRepository, name: string, script: string): void {
  const path = join(repository.dir, 'hooks', name);
  mkdirSync(join(repository.dir, 'hooks'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

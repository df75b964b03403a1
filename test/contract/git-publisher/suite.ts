/** What every GitPublisher does, wherever the repository is. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import { blobId } from '../../../reconciler/core/sources/blob-id.ts';
import type { GitPublisher, Published, RefChange } from '../../../reconciler/ports/git-publisher.ts';
import { inPatience } from '../../support/patience.ts';

export interface PublishedWorld {
  /** Another one opened on the same repository each time. */
  open(): Promise<GitPublisher>;
  /** From now on the repository takes nothing. */
  refuse(): void;
  remove(): Promise<void>;
}

const signal = inPatience(600_000);
const REF = 'refs/notes/plumbline';
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

function change(
  onto: Published | undefined,
  put: Readonly<Record<string, string>>,
  more: Partial<RefChange> = {},
): RefChange {
  return {
    ref: REF,
    onto,
    put: new Map(Object.entries(put).map(([path, text]) => [path, bytes(text)])),
    remove: new Set(),
    message: 'Say so',
    author: { name: 'plumbline', email: 'plumbline@localhost' },
    at: new Date('2026-03-04T05:06:07Z'),
    ...more,
  };
}

export function gitPublisherSuite(name: string, makeWorld: () => Promise<PublishedWorld>): void {
  describe(`GitPublisher: ${name}`, () => {
    let world: PublishedWorld;
    let publisher: GitPublisher;
    let others: GitPublisher[];
    beforeEach(async () => {
      world = await makeWorld();
      publisher = await world.open();
      others = [];
    });
    afterEach(async () => {
      await Promise.all([publisher, ...others].map((each) => each.close()));
      await world.remove();
    });

    async function other(): Promise<GitPublisher> {
      const made = await world.open();
      others.push(made);
      return made;
    }

    async function texts(of: GitPublisher, ref = REF): Promise<Record<string, string>> {
      const published = await of.read(ref, signal);
      const found: Record<string, string> = {};
      for (const path of published?.files.keys() ?? [])
        found[path] = Buffer.from((await published?.content(path, 1000, signal)) ?? []).toString('utf8');
      return found;
    }

    it('makes a ref that is not there, and reads what it wrote, as others do', async () => {
      assert.equal(await publisher.read(REF, signal), undefined);
      const made = await publisher.commit(change(undefined, { 'ab/cd': 'one\n', top: 'ü\n' }), signal);
      assert.ok(typeof made === 'object');
      for (const each of [publisher, await other()]) {
        const published = await each.read(REF, signal);
        assert.equal(published?.revision.sha, made.commit);
        assert.deepEqual(published.revision.parents, []);
        assert.equal(published.revision.message.trimEnd(), 'Say so');
        assert.deepEqual(published.revision.author, { name: 'plumbline', email: 'plumbline@localhost' });
        assert.equal(published.files.get('top'), blobId(bytes('ü\n')));
        assert.deepEqual(await texts(each), { 'ab/cd': 'one\n', top: 'ü\n' });
      }
    });

    it('changes, adds and removes, and leaves the rest', async () => {
      await publisher.commit(change(undefined, { 'a/x': '1', 'a/y': '2', 'a.b': '3', z: '4' }), signal);
      const onto = await publisher.read(REF, signal);
      const made = await publisher.commit(
        change(onto, { 'a/y': 'two', 'b/c/d': '5' }, { remove: new Set(['z', 'not there']) }),
        signal,
      );
      assert.ok(typeof made === 'object');
      const published = await publisher.read(REF, signal);
      assert.deepEqual(published?.revision.parents, [onto?.revision.sha]);
      assert.deepEqual(await texts(await other()), { 'a/x': '1', 'a/y': 'two', 'a.b': '3', 'b/c/d': '5' });
    });

    it('writes nothing where the files are as they are to be', async () => {
      await publisher.commit(change(undefined, { a: '1' }), signal);
      const onto = await publisher.read(REF, signal);
      assert.equal(await publisher.commit(change(onto, { a: '1' }, { message: 'Again' }), signal), 'same');
      assert.equal((await (await other()).read(REF, signal))?.revision.sha, onto?.revision.sha);
    });

    it('loses nothing of a writer that was faster, at the first commit and at later ones', async () => {
      const second = await other();
      assert.equal(await second.read(REF, signal), undefined);
      await publisher.commit(change(undefined, { a: '1' }), signal);
      assert.equal(await second.commit(change(undefined, { b: '2' }), signal), 'moved');
      const seen = await second.read(REF, signal);
      await publisher.commit(change(await publisher.read(REF, signal), { a: 'one' }), signal);
      assert.equal(await second.commit(change(seen, { b: '2' }), signal), 'moved');
      assert.ok(typeof (await second.commit(change(await second.read(REF, signal), { b: '2' }), signal)) === 'object');
      assert.deepEqual(await texts(publisher), { a: 'one', b: '2' });
    });

    it('keeps refs apart', async () => {
      await publisher.commit(change(undefined, { a: '1' }), signal);
      const branch = 'refs/heads/rendered';
      assert.equal(await publisher.read(branch, signal), undefined);
      await publisher.commit(change(undefined, { b: '2' }, { ref: branch }), signal);
      assert.deepEqual([await texts(publisher), await texts(publisher, branch)], [{ a: '1' }, { b: '2' }]);
    });

    it('says what a repository says that takes nothing, and reads on', async () => {
      await publisher.commit(change(undefined, { a: '1' }), signal);
      const onto = await publisher.read(REF, signal);
      world.refuse();
      await assert.rejects(
        publisher.commit(change(onto, { a: '2' }), signal),
        (error: unknown) => error instanceof PlumbError && ['PushRejected', 'GitAccessDenied'].includes(error.code),
      );
      assert.deepEqual(await texts(publisher), { a: '1' });
    });

    it('reads no more of a file than it is told to', async () => {
      await publisher.commit(change(undefined, { a: 'x'.repeat(2000) }), signal);
      const published = await publisher.read(REF, signal);
      await assert.rejects(
        async () => published?.content('a', 1000, signal),
        (error: unknown) => error instanceof PlumbError && error.code === 'BlobTooLarge',
      );
    });
  });
}

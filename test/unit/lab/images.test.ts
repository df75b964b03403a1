import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { exampleRecipes } from '../../../lab/images/examples.ts';
import { buildImage } from '../../../lab/images/image.ts';
import { librariesOf } from '../../../lab/images/programs.ts';
import { tar, type TarEntry } from '../../../contracts/tar.ts';

const busybox = { program: Buffer.from('a program'), applets: ['sh', 'httpd', 'busybox', 'wget'] };

/** Reads a ustar archive by its own rules: name, type, size, sum. */
function entriesOf(archive: Buffer): { path: string; type: string; mode: number; content: string; target: string }[] {
  const entries = [];
  for (let at = 0; archive[at] !== 0;) {
    const field = (offset: number, length: number): string =>
      archive.toString('latin1', at + offset, at + offset + length).replace(/[\0 ].*$/s, '');
    const size = Number.parseInt(field(124, 12), 8);
    const summed = archive
      .subarray(at, at + 512)
      .reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);
    assert.equal(Number.parseInt(field(148, 8), 8), summed, 'header sum');
    assert.equal(field(257, 6), 'ustar');
    entries.push({
      path: field(0, 100),
      type: field(156, 1),
      mode: Number.parseInt(field(100, 8), 8),
      content: archive.toString('utf8', at + 512, at + 512 + size),
      target: field(157, 100),
    });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}

describe('tar writer', () => {
  it('writes files, folders and links that read back', () => {
    const archive = tar([
      { type: 'folder', path: 'bin', mode: 0o755 },
      { type: 'file', path: 'bin/x', mode: 0o755, content: Buffer.alloc(513, 'a') },
      { type: 'symlink', path: 'bin/y', target: 'x' },
    ]);
    assert.equal(archive.length % 512, 0);
    assert.deepEqual(entriesOf(archive), [
      { path: 'bin/', type: '5', mode: 0o755, content: '', target: '' },
      { path: 'bin/x', type: '0', mode: 0o755, content: 'a'.repeat(513), target: '' },
      { path: 'bin/y', type: '2', mode: 0o777, content: '', target: 'x' },
    ]);
  });

  it('refuses what a header cannot hold', () => {
    assert.throws(() => tar([{ type: 'folder', path: 'x'.repeat(100), mode: 0o755 }]), RangeError);
  });
});

describe('example images', () => {
  const redis: readonly TarEntry[] = [
    { type: 'file', path: 'usr/bin/redis-server', mode: 0o755, content: Buffer.from('redis') },
  ];
  const images = exampleRecipes(busybox, redis).map((recipe) => buildImage(recipe, 'amd64'));
  const byName = new Map(images.map((image) => [`${image.repository}:${image.tag}`, image]));

  it('are busybox, two versions of hello, a broken one, and Redis where the machine has it', () => {
    const names = ['busybox:1', 'hello:1', 'hello:2', 'hello:broken'];
    assert.deepEqual([...byName.keys()], [...names, 'redis:lab']);
    assert.deepEqual(
      exampleRecipes(busybox, []).map(({ name }) => name),
      names,
    );
  });

  it('have the libraries that a program is linked with', () => {
    const text = `\tlinux-vdso.so.1 (0x00007faf)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fb0)
\tlibgone.so.1 => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007fb1)
`;
    assert.deepEqual(librariesOf(text), ['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
  });

  it('have the same digests each time they are built', () => {
    const again = exampleRecipes(busybox, redis).map((recipe) => buildImage(recipe, 'amd64'));
    assert.deepEqual(
      again.map((i) => i.manifest.digest),
      images.map((i) => i.manifest.digest),
    );
    assert.equal(new Set(images.map((i) => i.manifest.digest)).size, images.length);
  });

  it('share the busybox layer, so that an update pulls little', () => {
    assert.equal(new Set(images.map((image) => image.blobs[0]?.digest)).size, 1);
  });

  it('name every blob of the manifest with its size and digest', () => {
    for (const image of images) {
      const manifest = JSON.parse(image.manifest.content.toString('utf8')) as {
        config: { digest: string; size: number };
        layers: { digest: string; size: number }[];
      };
      const named = [...manifest.layers, manifest.config].map(({ digest, size }) => [digest, size]);
      assert.deepEqual(
        named,
        image.blobs.map((blob) => [blob.digest, blob.content.length]),
      );
    }
  });

  it('hold the program under all of its names but its own', () => {
    const layer = byName.get('busybox:1')?.blobs[0];
    assert.ok(layer);
    const entries = entriesOf(layer.content);
    assert.deepEqual(
      entries.filter((e) => e.target === 'busybox').map((e) => e.path),
      ['bin/httpd', 'bin/sh', 'bin/wget'],
    );
    assert.equal(entries.find((e) => e.path === 'bin/busybox')?.content, 'a program');
  });

  it('say their version in a file of the upper layer', () => {
    for (const version of ['1', '2']) {
      const layer = byName.get(`hello:${version}`)?.blobs[1];
      assert.ok(layer);
      assert.equal(entriesOf(layer.content).find((e) => e.path === 'etc/hello-version')?.content, `v${version}\n`);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClosureBuilder, KustomizeClosure } from '../../../reconciler/core/apps/closure.ts';
import { FileTree } from '../../../reconciler/core/apps/file-tree.ts';

const HERE = { file: 'apps.yaml', line: 3, column: 5 };

/** What Kustomize reads from `a` on in a repository with these files, and what is told. */
async function closure(contents: Readonly<Record<string, string>>, modes: Readonly<Record<string, string>> = {}) {
  const files = Object.keys(contents).map((path) => ({ path, oid: path, mode: modes[path] ?? '100644' }));
  const tree = new FileTree(files);
  const reads: string[] = [];
  const kustomize = new KustomizeClosure(tree, (file) => {
    reads.push(file.path);
    return Promise.resolve(new TextEncoder().encode(contents[file.path]));
  });
  const into = new ClosureBuilder(tree);
  await kustomize.collect([{ folder: 'a', from: HERE, text: 'a' }], into);
  const { files: read, diagnostics } = into.done(HERE);
  return {
    read: read.map(({ path }) => path),
    told: diagnostics.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`),
    reads,
  };
}

describe('what Kustomize reads', () => {
  it('are the files that kustomizations name, and no others', async () => {
    const { read, told } = await closure({
      'a/kustomization.yaml':
        'resources: [d.yaml, ../base]\ncomponents: [../c]\npatches: [{path: p.yaml}, {patch: "{}"}]\nreplacements: [{path: r.yaml}]\n' +
        'patchesStrategicMerge:\n- s.yaml\n- |\n  kind: A\nconfigurations: [k.yaml]\ncrds: [crd.yaml]\nopenapi: {path: o.json}\n' +
        'configMapGenerator: [{name: x, files: [f.txt, key=sub/g.txt], envs: [e.env], env: old.env}]\nsecretGenerator: [{name: y, files: [h.txt]}]\n',
      ...Object.fromEntries(
        'd.yaml p.yaml r.yaml s.yaml k.yaml crd.yaml o.json f.txt sub/g.txt e.env old.env h.txt other.yaml'
          .split(' ')
          .map((name) => [`a/${name}`, '']),
      ),
      'base/kustomization.yml': 'resources: [x.yaml]\n',
      'base/x.yaml': '',
      'base/y.yaml': '',
      'c/Kustomization': 'kind: Component\n',
      'z/kustomization.yaml': '',
    });
    assert.deepEqual(told, []);
    assert.deepEqual(
      read.join(' '),
      'a/crd.yaml a/d.yaml a/e.env a/f.txt a/h.txt a/k.yaml a/kustomization.yaml a/o.json a/old.env a/p.yaml a/r.yaml a/s.yaml a/sub/g.txt base/kustomization.yml base/x.yaml c/Kustomization',
    );
  });

  it('is the whole folder where it may read more than it names', async () => {
    const { read } = await closure({
      'a/kustomization.yaml': 'transformers: [t.yaml]\n',
      'a/t.yaml': '',
      'a/deep/named-by-t.yaml': '',
      'b/other.yaml': '',
    });
    assert.deepEqual(read, ['a/deep/named-by-t.yaml', 'a/kustomization.yaml', 'a/t.yaml']);
  });

  it('ends where kustomizations name each other, each read once', async () => {
    const { read, reads } = await closure({
      'a/kustomization.yaml': 'resources: [../b]\n',
      'b/kustomization.yaml': 'resources: [../a, ../b]\n',
    });
    assert.deepEqual(read, ['a/kustomization.yaml', 'b/kustomization.yaml']);
    assert.deepEqual(reads, ['a/kustomization.yaml', 'b/kustomization.yaml']);
  });

  for (const [title, entry, code] of [
    ['a file that is not there', 'x.yaml', 'PathNotFound'],
    ['a folder that is not there', '../x', 'PathNotFound'],
    ['a folder without a kustomization', '../plain', 'PathNotFound'],
    ['what lies outside of the repository', '../../etc/passwd', 'PathNotFound'],
    ['a place of the file system', '/etc/passwd', 'PathNotFound'],
    ['a URL', 'https://example.com/x.yaml', 'RemoteResource'],
    ['another repository', 'github.com/a/b//deploy?ref=v1', 'RemoteResource'],
    ['another repository over SSH', 'git@example.com:a/b.git', 'RemoteResource'],
  ] as const)
    it(`is refused at its place: ${title}`, async () => {
      const { told } = await closure({
        'a/kustomization.yaml': `resources:\n- ${entry}\n`,
        'plain/x.yaml': '',
      });

      assert.deepEqual(told, [`a/kustomization.yaml:2:3 ${code}`]);
    });

  it('is no link, and nothing that Helm fetches', async () => {
    const { told } = await closure(
      { 'a/kustomization.yaml': 'resources: [l.yaml]\nhelmCharts: [{name: x}]\n', 'a/l.yaml': '' },
      { 'a/l.yaml': '120000' },
    );
    assert.deepEqual(told, ['a/kustomization.yaml:2:1 UnsupportedField', 'a/l.yaml:1:1 SymlinkRefused']);
  });
});

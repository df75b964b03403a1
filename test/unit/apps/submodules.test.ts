/** Submodules that an App would read are refused at their place, also of another repository. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppSources } from '../../../reconciler/core/apps/other-sources.ts';
import { formatDiagnostic, ManifestCache } from '../../../reconciler/core/manifests/index.ts';
import { renderFiles } from '../../../reconciler/core/revisions/render.ts';
import { app, configMap, namespace } from '../../integration/engines/apps.ts';

const URL = 'https://git.example/web.git';
const FOLDER: Readonly<Record<string, string>> = {
  'deploy/a.yaml': configMap('a'),
  'deploy/base': 'the commit of a submodule',
  'other/lib': 'the commit of a submodule that nobody reads',
};
const filesOf = (all: Readonly<Record<string, string>>) =>
  Object.keys(all).map((path) => ({ path, mode: path.includes('.') ? '100644' : '160000', oid: path }));
const readerOf =
  (all: Readonly<Record<string, string>>) =>
  ({ path }: { readonly path: string }): Promise<Uint8Array> =>
    Promise.resolve(new TextEncoder().encode(all[path]));

const sources: AppSources = {
  open: () => Promise.resolve({ ok: true, commit: '1'.repeat(40), files: filesOf(FOLDER), read: readerOf(FOLDER) }),
};

async function told(spec: object, more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const all = {
    'app.json': app('web', { path: 'deploy', namespace: 'web', ...spec }),
    'n.yaml': namespace('web'),
    ...more,
  };
  const { diagnostics } = await renderFiles(filesOf(all), readerOf(all), new ManifestCache(), { sources });
  return diagnostics.map(formatDiagnostic).filter((line) => line.includes('Submodule'));
}

describe('a submodule in the folder of an App', () => {
  const refused = 'SubmoduleRefused deploy/base is a Git submodule; it is not read';
  it('is refused at its place', async () => {
    const [line, ...others] = await told({}, { 'deploy/a.yaml': configMap('a'), 'deploy/base': '' });
    assert.equal(line?.startsWith(`deploy/base:1:1 ${refused}`), true, line);
    assert.deepEqual(others, []);
  });

  it('is refused at its place in the other repository, and one beside the folder is no matter', async () => {
    const [line, ...others] = await told({ source: { url: URL } });
    assert.equal(line?.startsWith(`${URL}//deploy/base:1:1 ${refused}`), true, line);
    assert.deepEqual(others, []);
  });

  it('is told of where the path leads into it', async () => {
    const source = { url: URL };
    for (const path of ['other/lib', 'other/lib/charts/web']) {
      const [line] = await told({ source, path });
      assert.match(line ?? '', /^app\.json:1:\d+ SubmoduleRefused .* is in other\/lib, which is a Git submodule/, path);
    }
  });
});

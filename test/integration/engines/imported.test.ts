/** Imported repositories, rendered by the real engines: all of them but what needs a chart from elsewhere. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { FIXTURES, folderTexts } from '../../unit/import/trees.ts';
import { render } from './apps.ts';

/** What each App makes; those with a chart from elsewhere make nothing here. */
const MADE: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'argocd-home': {
    web: ['deployments.apps/web/web', 'jobs.batch/web/migrate'],
    api: ['configmaps/api/api'],
    monitoring: ['namespaces//monitoring'],
    shop: ['configmaps/shop/shop'],
  },
  'flux-home': {
    'cluster-apps': ['namespaces//media', 'namespaces//network'],
    'jellyfin-manifests': ['persistentvolumeclaims/media/jellyfin'],
  },
  'flux-overlays': { 'infra-controllers': ['namespaces//cert-manager'], apps: ['namespaces//podinfo'] },
};

describe('an imported repository', () => {
  const folder = makeFolder('plumbline-imported-');
  let engines: Engines;
  before(() => {
    const real = openEngines(folder);
    engines = Object.create(real, {
      tools: {
        value: (signal: AbortSignal) => ({
          ...real.tools(signal),
          chart: () => Promise.resolve({ ok: false, reason: 'mismatch', message: 'it is elsewhere' }),
        }),
      },
    }) as Engines;
  });
  after(() => removeFolder(folder));

  for (const [name, made] of Object.entries(MADE))
    it(`${name} is rendered as it stands`, async () => {
      const files = folderTexts(join(FIXTURES, name, 'out'));
      const elsewhere = Object.keys(files).filter((path) => /^ {4}chart:$/m.test(files[path] ?? ''));
      const { diagnostics, told, state } = await render(files, engines);
      const refused = diagnostics.filter(({ severity }) => severity === 'error').map(({ file }) => file);
      assert.deepEqual(refused.sort(), elsewhere.sort(), told.join('\n'));
      const objects: Record<string, string[]> = {};
      for (const { app, key } of state.values()) if (app !== undefined) (objects[app] ??= []).push(key);
      assert.deepEqual(objects, made);
    });
});

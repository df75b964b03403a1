/** A chart behind a password: whose it is, and what becomes of an App where nobody has it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppTools, ChartAnswer } from '../../../reconciler/core/apps/engine.ts';
import type { SourceAuth } from '../../../reconciler/core/apps/other-sources.ts';
import { formatDiagnostic, ManifestCache, type Rendering } from '../../../reconciler/core/manifests/index.ts';
import { renderFiles, type RenderOptions } from '../../../reconciler/core/revisions/render.ts';
import { app, namespace } from '../../integration/engines/apps.ts';

const LOCKED: ChartAnswer = { ok: false, reason: 'locked', message: 'its Secret cannot be opened' };
const chart = { repository: 'https://charts.example', name: 'web', version: '1.2.3', secretRef: { name: 'charts' } };
const secret = (password: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'charts', namespace: 'web' },
    stringData: { username: 'ada', password },
  });

describe('a chart behind a password', () => {
  let asked: (SourceAuth | undefined)[] = [];
  const notForThis = (): Promise<never> => Promise.reject(new Error('not for this test'));
  const tools: AppTools = {
    identity: notForThis,
    run: notForThis,
    chart: (_source, _namespace, auth) => {
      asked.push(auth);
      return Promise.resolve(LOCKED);
    },
    kept: notForThis,
    keep: notForThis,
  };
  const render = (files: Readonly<Record<string, string>>, more: RenderOptions = {}): Promise<Rendering> => {
    asked = [];
    const all = {
      'app.json': app('web', { namespace: 'web', helm: { chart } }),
      'ns.yaml': namespace('web'),
      ...files,
    };
    const tree = Object.keys(all).map((path) => ({ path, mode: '100644', oid: path }));
    const read = ({ path }: { readonly path: string }): Promise<Uint8Array> =>
      Promise.resolve(new TextEncoder().encode(all[path as keyof typeof all]));
    return renderFiles(tree, read, new ManifestCache(), { tools, ...more });
  };

  it('is asked for with what the Secret of its namespace says, which is printed nowhere', async () => {
    await render({ 'secret.json': secret('canary-2') });
    assert.deepEqual([...(asked[0]?.reveal() ?? [])].sort(), [
      ['password', 'canary-2'],
      ['username', 'ada'],
    ]);
    assert.equal(JSON.stringify(asked), '["[redacted]"]');
  });

  it('needs the Secret in the commit', async () => {
    const { diagnostics } = await render({});
    assert.match(
      diagnostics.map(formatDiagnostic).join(''),
      /^app\.json:1:\d+ MissingReference Secret charts is in no manifest of the namespace web/,
    );
    assert.deepEqual(asked, []);
  });

  it('leaves its App out where nobody has the password, which is known of the App', async () => {
    const { diagnostics, leftOut } = await render({ 'secret.json': secret('ENC[AES256_GCM,data:x]') });
    assert.match(
      diagnostics.map(formatDiagnostic).join('\n'),
      /app\.json:1:\d+ SourceUnread warning: App web is left out: its Secret cannot be opened/,
    );
    assert.deepEqual(leftOut, ['web']);
  });

  it('is waited for by who should have it: nothing of the App is taken away meanwhile', async () => {
    await assert.rejects(render({ 'secret.json': secret('x') }, { open: () => notForThis() }), {
      code: 'ChartUnavailable',
      retry: 'backoff',
    });
  });
});

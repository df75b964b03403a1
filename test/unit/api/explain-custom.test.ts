/** The explain report of objects of custom kinds. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { KindRegistry, unstructured } from '../../../contracts/objects/index.ts';
import { explainCustom } from '../../../reconciler/api/explain-custom.ts';
import { world } from '../runtime/world.ts';

const kinds = new KindRegistry([
  { group: 'example.com', version: 'v1', plural: 'widgets', kind: 'Widget', scope: 'Namespaced' },
]);
const WIDGET = unstructured('widgets.example.com', {
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'a', namespace: 'default' },
});

it('an object of a custom kind is explained, also where there can be none of its name', async () => {
  const w = await world({ kinds });
  try {
    await w.writer.submit([{ do: 'create', object: WIDGET }], 'test', w.signal);
    const [kind] = kinds.all;
    assert.ok(kind);
    const explained = (name: string) =>
      explainCustom({ view: w.cache, sourceName: 'main', kind, namespace: 'default', name });
    assert.equal(explained('a').found, true);
    for (const name of ['b', 'a/b', '']) {
      const report = explained(name);
      assert.equal(report.found, false, name);
      assert.deepEqual(report.events, []);
      assert.match(report.broken ?? '', /Widget/);
    }
  } finally {
    await w.close();
  }
});

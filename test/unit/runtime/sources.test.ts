/** What a table knows to come from a source is what a look at all objects finds. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { keyOf, type Kind, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { OverlayView } from '../../../reconciler/controllers/forecast/overlay-view.ts';
import type { StoreView } from '../../../reconciler/controllers/runtime/controller.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { SOURCE_ANNOTATION } from '../../../reconciler/core/diff/types.ts';
import { MANIFEST_KINDS, sourceObjects } from '../../../reconciler/core/revisions/health.ts';
import { stored } from '../nodes/stored.ts';

const KINDS = ['ConfigMap', 'ServiceAccount'] as const;
const SOURCES = ['fleet', 'other'] as const;

const change = fc.record({
  kind: fc.constantFrom(...KINDS),
  name: fc.constantFrom('a', 'b', 'c'),
  namespace: fc.constantFrom('x', 'y'),
  source: fc.constantFrom(...SOURCES, undefined),
  gone: fc.boolean(),
  beneath: fc.boolean(),
});

function scanned(view: StoreView, source: string): string[] {
  return MANIFEST_KINDS.flatMap((kind: Kind) => view.list<Kind>(kind))
    .filter(({ metadata }) => metadata.annotations?.[SOURCE_ANNOTATION] === source)
    .map(keyOf)
    .sort();
}

it('is the same in a table and in a view above it, whatever is put, changed and removed', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const table = new ObjectTable();
      // What is beneath changes first: an overlay hides it as it is then.
      for (const one of changes.filter(({ beneath }) => beneath)) apply(table, one);
      const overlay = new OverlayView(table);
      for (const one of changes.filter(({ beneath }) => !beneath)) apply(overlay, one);
      for (const view of [table, overlay]) {
        for (const source of SOURCES) {
          const found = sourceObjects(view, source);
          assert.deepEqual(found.map(keyOf).sort(), scanned(view, source));
          for (const kind of KINDS) {
            const keys = found.filter((object) => object.kind === kind).map(keyOf);
            assert.deepEqual(keys, keys.toSorted());
          }
        }
      }
    }),
  );
});

interface Changing {
  put(object: Stored): unknown;
  remove(key: ObjectKey): unknown;
}

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(to: Changing, { kind, name, namespace, source, gone }: Change): void {
  const object = stored(
    { apiVersion: 'v1', kind, metadata: { namespace, name } },
    {
      uid: `uid-${namespace}-${name}`,
      ...(source !== undefined && { annotations: { [SOURCE_ANNOTATION]: source } }),
    },
  );
  if (gone) to.remove(keyOf(object));
  else to.put(object);
}

/** The kinds that definitions make. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CustomResourceDefinitionManifest } from '../../../contracts/objects/index.ts';
import { definedKinds } from '../../../reconciler/core/kinds/custom-definitions.ts';

type Versions = readonly { readonly name: string; readonly served: boolean; readonly storage: boolean }[];

const CASES: readonly [title: string, versions: Versions, apiVersion: string][] = [
  ['the stored one', [version('v1', true), version('v2', true, 'stored')], 'example.com/v2'],
  ['a served one where the stored one is not', [version('v1', false, 'stored'), version('v2', true)], 'example.com/v2'],
  ['the stored one where none is served', [version('v1', false), version('v2', false, 'stored')], 'example.com/v2'],
];

function version(name: string, served: boolean, storage?: 'stored'): Versions[number] {
  return { name, served, storage: storage !== undefined };
}

describe('the version that a kind is asked for by', () => {
  for (const [title, versions, apiVersion] of CASES)
    it(`is ${title}`, () => {
      const definition = CustomResourceDefinitionManifest.parse({
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'widgets.example.com' },
        spec: {
          group: 'example.com',
          names: { plural: 'widgets', kind: 'Widget' },
          scope: 'Namespaced',
          versions: versions.map((one) => ({ ...one, schema: { openAPIV3Schema: { type: 'object' } } })),
        },
      });
      assert.equal(definedKinds([definition]).kinds.find('widgets')?.apiVersion, apiVersion);
    });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ALL_KINDS,
  findKind,
  IDENTITIES,
  isKind,
  kindLookup,
  kindOf,
  kindOfResource,
  KINDS,
  type Kind,
  type KindIdentity,
} from '../../../contracts/objects/index.ts';

describe('the table of names', () => {
  it('has the kinds that have schemas, and no two that a key or a reference could mistake', () => {
    assert.deepEqual([...ALL_KINDS].sort(), Object.keys(KINDS).sort());
    for (const kind of ALL_KINDS) {
      const { resource, apiVersion, kind: word } = IDENTITIES[kind];
      assert.equal(kindOfResource(resource), kind);
      assert.equal(kindOf(apiVersion, word), kind);
      assert.ok(isKind(kind));
    }
  });

  it('names resources as Kubernetes does', () => {
    assert.deepEqual(
      (['Pod', 'Deployment', 'EndpointSlice', 'Machine'] satisfies Kind[]).map((kind) => IDENTITIES[kind].resource),
      ['pods', 'deployments.apps', 'endpointslices.discovery.k8s.io', 'machines.plumbline.dev'],
    );
  });

  it('takes another version of a group for the same kind, and another group for none', () => {
    assert.equal(kindOf('apps/v1beta2', 'Deployment'), 'Deployment');
    assert.equal(kindOf('example.com/v1', 'Deployment'), undefined);
    assert.equal(kindOf('v1', 'constructor'), undefined);
  });
});

const WORDS: readonly (readonly [string, Kind | undefined])[] = [
  ['po', 'Pod'],
  ['Pods', 'Pod'],
  ['pod', 'Pod'],
  ['pods.v1.', 'Pod'],
  ['deployments.apps', 'Deployment'],
  ['deployment.v1.apps', 'Deployment'],
  ['Deploy.apps', 'Deployment'],
  ['deployments.v2.apps', undefined],
  ['deployments.example.com', undefined],
  ['pods.apps', undefined],
  ['endpointslices.discovery.k8s.io', 'EndpointSlice'],
  ['endpointslice.v1.discovery.k8s.io', 'EndpointSlice'],
  ['priorityclasses.scheduling', 'PriorityClass'],
  ['machines.plumbline.dev', 'Machine'],
  ['', undefined],
  ['.', undefined],
];
describe('a word for a kind', () => {
  for (const [word, kind] of WORDS)
    it(`${JSON.stringify(word)} is ${kind ?? 'none'}`, () => assert.equal(findKind(word), kind));
});

describe('two kinds of one name in two groups', () => {
  const event = (group: string, version: string): KindIdentity => ({
    kind: 'Event',
    apiVersion: group === '' ? version : `${group}/${version}`,
    group,
    version,
    plural: 'events',
    resource: group === '' ? 'events' : `events.${group}`,
    shortNames: ['ev'],
    namespaced: true,
  });
  const lookup = kindLookup({ Event: event('', 'v1'), EventOfEvents: event('events.k8s.io', 'v1') });

  it('are told apart by group, in objects and in keys', () => {
    assert.deepEqual(
      ['', 'events.k8s.io', 'other'].map((group) => lookup.named(group, 'Event')),
      ['Event', 'EventOfEvents', undefined],
    );
    assert.deepEqual(
      ['events', 'events.events.k8s.io'].map((resource) => lookup.ofResource(resource)),
      ['Event', 'EventOfEvents'],
    );
  });

  it('are found by group, and without one the first is meant', () => {
    assert.deepEqual(
      ['ev', 'events', 'events.v1.', 'events.events.k8s.io', 'event.v1.events.k8s.io', 'ev.events'].map((word) =>
        lookup.find(word),
      ),
      ['Event', 'Event', 'Event', 'EventOfEvents', 'EventOfEvents', 'EventOfEvents'],
    );
  });
});

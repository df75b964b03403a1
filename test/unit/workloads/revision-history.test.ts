import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ControllerRevision, StoredControllerRevision } from '../../../contracts/objects/index.ts';
import type { Step } from '../../../reconciler/core/step.ts';
import {
  planHistory,
  revisionHash,
  revisionTemplate,
  revisionWith,
  truncateHistory,
  type History,
} from '../../../reconciler/core/workloads/revision-history.ts';
import { templateHash } from '../../../reconciler/core/workloads/template.ts';
import { deployment } from '../controllers/objects.ts';
import { stored } from '../nodes/stored.ts';

/** Any object with a selector and a template may have a history. */
const owner = (image = 'app:v1') => stored<'Deployment'>(deployment({}, image));
const template = (image: string) => deployment({}, image).spec.template;
function revision(image: string, number: number, metadata: object = {}): StoredControllerRevision {
  const made = revisionWith(owner(), template(image), templateHash(template(image)), number);
  return stored<'ControllerRevision'>({
    ...made,
    metadata: { ...made.metadata, uid: `uid-${made.metadata.name}`, ...metadata },
  });
}
function history(image: string, revisions: readonly StoredControllerRevision[], collisionCount = 0): History {
  const lookup = (name: string) => revisions.find(({ metadata }) => metadata.name === name);
  return planHistory({ owner: owner(image), revisions, collisionCount, lookup });
}
function written(steps: readonly Step[]): (readonly [string, string, number])[] {
  return steps.map((step) => {
    assert.ok((step.do === 'create' || step.do === 'update') && step.object.kind === 'ControllerRevision');
    return [step.do, step.object.metadata.name, step.object.revision];
  });
}
const names = (revisions: readonly ControllerRevision[]): string[] => revisions.map(({ metadata }) => metadata.name);

describe('the history of a workload', () => {
  it('begins with the present template, under a name that is always the same', () => {
    const { current, steps, old } = history('app:v1', []);
    const [again] = [history('app:v1', []).current];
    assert.deepEqual([written(steps), old], [[['create', current.metadata.name, 1]], []]);
    assert.equal(current.metadata.name, again.metadata.name);
    assert.equal(current.metadata.name, `web-${revisionHash(current)}`);
    assert.deepEqual(revisionTemplate(current), template('app:v1'));
    assert.equal(current.metadata.ownerReferences?.[0]?.uid, owner().metadata.uid);
  });

  it('changes nothing while the template stays', () => {
    assert.deepEqual(history('app:v2', [revision('app:v1', 1), revision('app:v2', 2)]).steps, []);
  });

  it('gives a template that comes back the next number', () => {
    const first = revision('app:v1', 1);
    const second = revision('app:v2', 2);
    const { current, old, steps } = history('app:v1', [second, first]);
    assert.deepEqual(written(steps), [['update', first.metadata.name, 3]]);
    assert.deepEqual([current.revision, names(old)], [3, names([second])]);
  });

  it('passes over a name that is taken, and counts it', () => {
    const other = revision('app:v1', 1);
    const taken = { ...other, data: revision('app:v2', 1).data };
    const { current, collisionCount, steps } = history('app:v1', [taken]);
    assert.equal(collisionCount, 1);
    assert.deepEqual(written(steps), [['create', current.metadata.name, 2]]);
    assert.notEqual(current.metadata.name, taken.metadata.name);
    assert.equal(history('app:v1', [], 1).current.metadata.name, current.metadata.name);
  });

  it('adopts what its selector wants, with one write for each', () => {
    const orphan = revision('app:v1', 1, { ownerReferences: [] });
    const foreign = revision('app:v3', 9, { ownerReferences: [], labels: { app: 'other' } });
    const { steps, old } = history('app:v1', [orphan, foreign, revision('app:v2', 5)]);
    assert.deepEqual(written(steps), [['update', orphan.metadata.name, 6]]);
    assert.ok(steps[0]?.do === 'update');
    assert.equal(steps[0].object.metadata.ownerReferences?.[0]?.uid, owner().metadata.uid);
    assert.equal(old.length, 1);
  });

  it("leaves another owner's alone", () => {
    const other = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x', uid: 'other', controller: true };
    const theirs = revision('app:v1', 7, { ownerReferences: [other], name: 'x-1' });
    assert.deepEqual(history('app:v1', [theirs]).current.revision, 1);
  });
});

describe('what is too much of a history', () => {
  const old = [revision('app:v3', 3), revision('app:v1', 1), revision('app:v4', 4), revision('app:v2', 2)];
  const cases: readonly (readonly [string, readonly string[], number, readonly string[]])[] = [
    ['nothing within the limit', [], 4, []],
    ['the oldest first', [], 2, ['app:v1', 'app:v2']],
    ['all at a limit of 0', [], 0, ['app:v1', 'app:v2', 'app:v3', 'app:v4']],
    ['not what a pod has; the next instead', ['app:v1'], 2, ['app:v2', 'app:v3']],
    ['nothing that a pod has, even beyond the limit', ['app:v1', 'app:v2', 'app:v3', 'app:v4'], 0, []],
  ];
  for (const [name, live, limit, gone] of cases) {
    it(name, () => {
      const image = (one: ControllerRevision): string => revisionTemplate(one).spec.containers[0]?.image ?? '';
      const steps = truncateHistory(old, (one) => live.includes(image(one)), limit);
      assert.deepEqual(
        steps.map((step) => (step.do === 'delete' ? step.uid : step.do)),
        gone.map((wanted) => old.find((one) => image(one) === wanted)?.metadata.uid),
      );
    });
  }
});

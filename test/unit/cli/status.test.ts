import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hopeless } from '../../../cli/commands/status.ts';
import type { StatusReport } from '../../../reconciler/api/types.ts';

const HEAD = 'a'.repeat(40);
type Outcome = NonNullable<StatusReport['source']['newest']>['outcome'];

function report(outcome: Outcome, more: Partial<StatusReport> = {}): StatusReport {
  const newest = {
    revision: HEAD,
    subject: 's',
    author: 'a',
    committedAt: '',
    seenAt: '',
    outcome,
  } as unknown as NonNullable<StatusReport['source']['newest']>;
  return {
    source: {
      name: 'fleet',
      url: '/fleet.git',
      branch: 'main',
      follows: 'branch main',
      head: HEAD,
      observedRevision: HEAD,
      newest,
      conditions: [],
    },
    synced: outcome !== 'Refused',
    healthy: false,
    objects: [],
    nodes: [],
    missing: ['something'],
    controlPlane: { version: '1', pid: 1, startedAt: '', home: '', warnings: [] },
    ...more,
  };
}
const late: StatusReport['objects'] = [
  { kind: 'Deployment', namespace: 'default', name: 'web', health: 'Degraded', message: 'told', gaveUp: true },
];

describe('plumb status --wait', () => {
  const rows: readonly { readonly name: string; readonly report: StatusReport; readonly says: RegExp | undefined }[] = [
    { name: 'waits while the revision is applied', report: report('Applied'), says: undefined },
    {
      name: 'ends for a revision that was refused',
      report: report('Refused'),
      says: /was refused: waiting changes nothing/,
    },
    {
      name: 'ends for a rollout that had its time',
      report: report('Applied', { objects: late }),
      says: /^Deployment default\/web exceeded its progress deadline: waiting changes nothing$/,
    },
    {
      name: 'waits for a newer revision, whatever the rollout before had',
      report: report('Applied', { objects: late, synced: false }),
      says: undefined,
    },
    {
      name: 'waits for a commit that was not looked at, whatever became of the one before',
      report: { ...report('Refused'), source: { ...report('Refused').source, head: 'b'.repeat(40) } },
      says: undefined,
    },
  ];
  for (const { name, report: given, says } of rows) {
    it(name, () => {
      const said = hopeless(given);
      if (says === undefined) assert.equal(said, undefined);
      else assert.match(said ?? '', says);
    });
  }
});

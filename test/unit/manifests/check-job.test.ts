/** What a Job and a CronJob may say. Source: Kubernetes, pkg/apis/batch/validation/validation_test.go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';

type Mistake = readonly [mistake: string, spec: object, words: RegExp];

const template = (spec: object = {}, labels: object = {}): object => ({
  metadata: { labels },
  spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'task:v1' }], ...spec },
});
const rules = (...list: readonly object[]): object => ({ rules: list });
const INDEXED = { completionMode: 'Indexed', completions: 5, parallelism: 2 };
const exitCodes = (values: readonly number[], more: object = {}): object => ({
  action: 'FailJob',
  onExitCodes: { operator: 'In', values, ...more },
});

function told(kind: 'Job' | 'CronJob', spec: object, name = 'task'): readonly string[] {
  const manifest = { apiVersion: 'batch/v1', kind, metadata: { name, namespace: 'default' }, spec };
  const { diagnostics } = parseManifest('f.yaml', 'oid', new TextEncoder().encode(JSON.stringify(manifest)));
  return diagnostics.map((one) => formatDiagnostic(one));
}
const ofJob = (spec: object, name?: string): readonly string[] => told('Job', { template: template(), ...spec }, name);
const ofCronJob = (spec: object, job: object = {}, name?: string): readonly string[] =>
  told('CronJob', { schedule: '@hourly', jobTemplate: { spec: { template: template(), ...job } }, ...spec }, name);

describe('a Job that is right', () => {
  const RIGHT: Readonly<Record<string, object>> = {
    'says its template alone': {},
    'says all that goes together': {
      ...INDEXED,
      backoffLimitPerIndex: 1,
      maxFailedIndexes: 2,
      suspend: true,
      ttlSecondsAfterFinished: 0,
      activeDeadlineSeconds: 60,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: rules(
        exitCodes([1, 5, 42], { containerName: 'main' }),
        { action: 'FailIndex', onExitCodes: { operator: 'NotIn', values: [0, 1] } },
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
      ),
      successPolicy: rules({ succeededIndexes: '0,2-4', succeededCount: 3 }, { succeededCount: 5 }),
      managedBy: 'kubernetes.io/job-controller',
    },
    'finds its pods itself': {
      manualSelector: true,
      selector: { matchLabels: { a: 'b' } },
      template: template({}, { a: 'b' }),
    },
    'has its own name as a label': { template: template({}, { 'job-name': 'task' }) },
  };
  for (const [what, spec] of Object.entries(RIGHT)) it(what, () => assert.deepEqual(ofJob(spec), []));
});

describe('a Job that is refused', () => {
  const WRONG: readonly Mistake[] = [
    [
      'pods that never end',
      { template: template({ restartPolicy: 'Always' }) },
      /restartPolicy must be OnFailure or Never/,
    ],
    [
      'pods of which it is not said',
      { template: template({ restartPolicy: undefined }) },
      /MissingField.*restartPolicy/,
    ],
    ['a controller of somebody else', { managedBy: 'example.com/mine' }, /managedBy.*is a Kubernetes/],
    ['fewer than no completions', { completions: -1 }, /completions must be 0 or more/],
    ['indexes without a number', { completionMode: 'Indexed', parallelism: 2 }, /completions is required/],
    ['too many indexed pods at once', { ...INDEXED, parallelism: 100_001 }, /parallelism must be at most 100000/],
    ['a limit for each index without indexes', { backoffLimitPerIndex: 1 }, /backoffLimitPerIndex may only be set/],
    [
      'failed indexes without a limit for each',
      { ...INDEXED, maxFailedIndexes: 1 },
      /maxFailedIndexes may only be set/,
    ],
    [
      'more failed indexes than there are',
      { ...INDEXED, backoffLimitPerIndex: 1, maxFailedIndexes: 6 },
      /maxFailedIndexes must be at most/,
    ],
    [
      'very many indexes of which any may fail',
      { ...INDEXED, completions: 100_001, backoffLimitPerIndex: 1 },
      /maxFailedIndexes is required/,
    ],
    [
      'a selector without saying that it is meant',
      { selector: { matchLabels: { a: 'b' } } },
      /selector may not be set/,
    ],
    ['a manual selector without one', { manualSelector: true }, /selector is required/],
    [
      'a manual selector of other pods',
      { manualSelector: true, selector: { matchLabels: { a: 'b' } } },
      /does not match/,
    ],
    [
      "another Job's name as a label",
      { template: template({}, { 'job-name': 'other' }) },
      /must be the name of the Job/,
    ],
    ['a uid as a label', { template: template({}, { 'controller-uid': 'u' }) }, /it is the uid of the Job/],
    [
      'two causes in a rule',
      { podFailurePolicy: rules({ ...exitCodes([1]), onPodConditions: [{ type: 'A' }] }) },
      /exactly one/,
    ],
    ['no cause in a rule', { podFailurePolicy: rules({ action: 'Count' }) }, /exactly one/],
    ['no failure as a cause', { podFailurePolicy: rules(exitCodes([0])) }, /must not have 0/],
    ['exit codes in no order', { podFailurePolicy: rules(exitCodes([3, 2])) }, /ascending/],
    ['an exit code twice', { podFailurePolicy: rules(exitCodes([2, 2])) }, /ascending/],
    [
      'a container that is none',
      { podFailurePolicy: rules(exitCodes([1], { containerName: 'x' })) },
      /x is no container/,
    ],
    [
      'an index that fails without a limit',
      { podFailurePolicy: rules({ ...exitCodes([1]), action: 'FailIndex' }) },
      /may only be FailIndex/,
    ],
    [
      'a policy for pods that restart in place',
      { podFailurePolicy: rules(exitCodes([1])), template: template({ restartPolicy: 'OnFailure' }) },
      /must be Never/,
    ],
    [
      'a policy and early replacements',
      { podFailurePolicy: rules(exitCodes([1])), podReplacementPolicy: 'TerminatingOrFailed' },
      /must be Failed/,
    ],
    [
      'success of indexes without indexes',
      { successPolicy: rules({ succeededCount: 1 }) },
      /successPolicy may only be set/,
    ],
    ['success of nothing', { ...INDEXED, successPolicy: rules({}) }, /succeededIndexes or succeededCount/],
    [
      'success of an index that is none',
      { ...INDEXED, successPolicy: rules({ succeededIndexes: '5' }) },
      /not below completions/,
    ],
    [
      'success of an interval backwards',
      { ...INDEXED, successPolicy: rules({ succeededIndexes: '3-1' }) },
      /before it begins/,
    ],
    ['success of indexes in no order', { ...INDEXED, successPolicy: rules({ succeededIndexes: '3,1' }) }, /ascending/],
    ['success of more than there are', { ...INDEXED, successPolicy: rules({ succeededCount: 6 }) }, /at most 5/],
    [
      'success of more than are named',
      { ...INDEXED, successPolicy: rules({ succeededIndexes: '0-1', succeededCount: 3 }) },
      /at most 2/,
    ],
  ];
  for (const [mistake, spec, words] of WRONG)
    it(mistake, () => {
      const [found, ...more] = ofJob(spec);
      assert.match(found ?? 'nothing is told', words);
      assert.deepEqual(more, []);
    });

  it('a name that no label can have, and one that makes no host name', () => {
    assert.match(ofJob({}, 'a'.repeat(64))[0] ?? '', /name must be no more than 63/);
    assert.deepEqual(ofJob({}, 'a'.repeat(63)), []);
    assert.match(ofJob(INDEXED, 'a'.repeat(62))[0] ?? '', /host name/);
    assert.match(ofJob(INDEXED, 'a.b')[0] ?? '', /host name/);
    assert.deepEqual(ofJob(INDEXED, 'a'.repeat(61)), []);
  });
});

describe('a CronJob', () => {
  it('that is right', () => {
    assert.deepEqual(ofCronJob({}), []);
    assert.deepEqual(
      ofCronJob({
        schedule: '*/5 0-6 * JAN,dec ?',
        timeZone: 'Europe/Berlin',
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 0,
        successfulJobsHistoryLimit: 0,
        failedJobsHistoryLimit: 0,
        suspend: true,
      }),
      [],
    );
  });

  const WRONG: readonly Mistake[] = [
    ['no schedule', { schedule: '' }, /schedule is required/],
    ['six fields', { schedule: '* * * * * *' }, /schedule must have 5 fields/],
    ['a time zone in the schedule', { schedule: 'CRON_TZ=UTC * * * * *' }, /schedule cannot have TZ/],
    ['a time zone that is none', { timeZone: 'Mars/Olympus' }, /timeZone must be a time zone/],
    ['an empty time zone', { timeZone: '' }, /timeZone must be a time zone/],
    ['the time zone of nobody knows where', { timeZone: 'Local' }, /timeZone must be a time zone/],
    ['a policy that is none', { concurrencyPolicy: 'Maybe' }, /concurrencyPolicy/],
    ['a day that never comes', { schedule: '0 0 30 2 *' }, /never comes/],
    ['a deadline in the past', { startingDeadlineSeconds: -1 }, /startingDeadlineSeconds must be 0 or more/],
  ];
  for (const [mistake, spec, words] of WRONG)
    it(`is told of: ${mistake}`, () => {
      const [found, ...more] = ofCronJob(spec);
      assert.match(found ?? 'nothing is told', words);
      assert.deepEqual(more, []);
    });

  it('is told of: what is wrong with its Jobs, at its place', () => {
    assert.match(
      ofCronJob({}, { selector: { matchLabels: { a: 'b' } } })[0] ?? '',
      /jobTemplate\.spec\.selector may not be set/,
    );
    assert.match(ofCronJob({}, { manualSelector: true })[0] ?? '', /jobTemplate\.spec\.manualSelector may not be true/);
    assert.match(
      ofCronJob({}, { template: template({ restartPolicy: 'Always' }) })[0] ?? '',
      /jobTemplate\.spec\.template\.spec\.restartPolicy must be/,
    );
    assert.match(ofCronJob({}, {}, 'a'.repeat(53))[0] ?? '', /name must be no more than 52/);
  });
});

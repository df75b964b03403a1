/** The repository that people copy: everything in it runs. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { parseDocument } from 'yaml';
import { eventually } from '../fleet.ts';
import { giveUpVolumes } from './give-up.ts';
import type { Theme } from './theme.ts';

const APPS = path.join(import.meta.dirname, '../../../examples-repo/apps');

/** So that nothing is left of a test: as it is written, the database's claim outlives its StatefulSet. */
const KEPT = '  serviceName: visits-db\n';
const GOES = '  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}\n';

export const examples: Theme = (fleet, round) => {
  const folder = `examples-${round}`;

  it('every manifest of the example repository comes up, and its application counts visits, does its jobs and reports', async () => {
    const files = (await readdir(APPS, { recursive: true })).filter((name) => name.endsWith('.yaml'));
    for (const file of files) {
      const text = await readFile(path.join(APPS, file), 'utf8');
      await fleet().write(`${folder}/${file}`, text.replace(KEPT, `$&${GOES}`));
    }
    await fleet().commitAndPush('Run the examples');
    const status = await fleet().plumb('status', '--wait', '--timeout', '120');
    assert.equal(status.code, 0, status.stdout + status.stderr);

    const [node] = fleet().lab.nodes;
    const url = `http://${await fleet().clusterIP('visits')}/cgi-bin/visit`;
    // An answer may be late: the visit is counted then.
    const first = await eventually('it is served', 60, () => fleet().httpFrom(node?.name ?? '', url));
    const counted = Number(/^visit (\d+)\n$/.exec(first)?.[1] ?? assert.fail(first));
    const visits = [counted, counted + 1, counted + 2] as const;
    for (const number of visits.slice(1))
      assert.equal(await fleet().httpFrom(node?.name ?? '', url), `visit ${number}\n`);
    await eventually('the worker has done its jobs', 60, async () => {
      const { stdout } = await fleet().plumb('logs', 'deploy/visits-worker');
      return visits.every((number) => stdout.includes(`counted visit ${number}\n`));
    });
    await fleet().podsReady('visits', 2);
    await eventually('the autoscaler knows them', 60, async () =>
      /Deployment\/visits.*\s2\s+4\s+2\s/.test((await fleet().plumb('get', 'hpa', 'visits')).stdout),
    );
    await fleet().write(`${folder}/now.yaml`, await reportOfNow());
    await fleet().commitAndPush('Report now');
    await eventually('the report', 60, async () => {
      const [report] = await fleet().pods('visits-report');
      return report && (await fleet().plumb('logs', report.metadata.name)).stdout === `visits so far: ${visits[2]}\n`;
    });
    await giveUpVolumes(fleet(), folder);
  });
};

/** What the CronJob would run in the morning. */
async function reportOfNow(): Promise<string> {
  const cron = parseDocument(await readFile(path.join(APPS, 'visits/report.yaml'), 'utf8'));
  const { spec } = cron.toJS() as { spec: { jobTemplate: { spec: object } } };
  const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'visits-report-now' } };
  return JSON.stringify({ ...job, spec: spec.jobTemplate.spec });
}

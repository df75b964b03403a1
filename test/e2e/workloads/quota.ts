/** ResourceQuotas and LimitRanges: what a namespace may have, whoever makes it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { findCondition, type StoredOf, type StoredPod } from '../../../contracts/objects/index.ts';
import { isActive, isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

export const quotas: Theme = (fleet, round) => {
  const namespace = `quota-${round}`;
  const file = (name: string): string => `quota-${round}/${name}.yaml`;
  const put = async (name: string, ...documents: readonly string[]): Promise<void> => {
    await fleet().write(file('namespace'), `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`);
    await fleet().write(file(name), documents.join('---\n'));
  };
  const quota = (name: string, hard: string, more = ''): string =>
    `apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec:\n  hard: {${hard}}\n${more}`;
  const object = (apiVersion: string, kind: string, name: string, rest: string): string =>
    `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\n${rest}\n`;
  const container = (resources: string): string =>
    `containers: [{name: c, image: "registry.lab/busybox:1", command: [sleep, "3600"], resources: {${resources}}}]`;
  const pod = (name: string, resources: string, more = ''): string =>
    object('v1', 'Pod', name, `spec: {terminationGracePeriodSeconds: 0, ${more}${container(resources)}}`);
  const used = async (name: string): Promise<Readonly<Record<string, string>> | undefined> =>
    (await fleet().list('ResourceQuota', namespace)).find(({ metadata }) => metadata.name === name)?.status?.used;
  const uses = (name: string, wanted: Readonly<Record<string, string>>): Promise<unknown> =>
    eventually(`${name} tells ${JSON.stringify(wanted)}`, 60, async () => {
      const found = (await used(name)) ?? {};
      return Object.entries(wanted).every(([resource, amount]) => found[resource] === amount);
    });
  const pods = async (): Promise<readonly StoredPod[]> => (await fleet().list('Pod', namespace)).filter(isActive);
  async function remove(): Promise<void> {
    await fleet().removeFiles(`quota-${round}`);
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  }

  it('counts objects as they come and go, and a push with more is refused [conformance: resourcequota-object-count-quota, resourcequota-object-count-quota-configmap, resourcequota-object-count-quota-secret, resourcequota-object-count-quota-service, resourcequota-object-count-quota-replicaset, resourcequota-object-count-quota-resourcequotas]', async () => {
    const hard =
      'configmaps: 2, secrets: 1, services: 2, services.nodeports: 1, resourcequotas: 1, replicationcontrollers: 1, count/replicasets.apps: 1';
    await put('quota', quota('objects', hard));
    await fleet().commitAndPush('Limit objects');
    await uses('objects', {
      configmaps: '0',
      secrets: '0',
      services: '0',
      resourcequotas: '1',
      replicationcontrollers: '0',
      'count/replicasets.apps': '0',
    });
    const service = (name: string): string =>
      object('v1', 'Service', name, 'spec: {type: NodePort, ports: [{port: 80}], selector: {a: b}}');
    await put(
      'objects',
      object('v1', 'ConfigMap', 'c', 'data: {a: b}'),
      object('v1', 'Secret', 's', 'stringData: {a: b}'),
      service('one'),
      object(
        'apps/v1',
        'ReplicaSet',
        'r',
        `spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {${container('')}}}}`,
      ),
      object(
        'v1',
        'ReplicationController',
        'rc',
        `spec: {replicas: 0, selector: {c: d}, template: {metadata: {labels: {c: d}}, spec: {${container('')}}}}`,
      ),
    );
    await fleet().commitAndPush('Make one of each');
    await uses('objects', {
      configmaps: '1',
      secrets: '1',
      services: '1',
      'services.nodeports': '1',
      replicationcontrollers: '1',
      'count/replicasets.apps': '1',
    });
    await put('more', service('two'));
    await fleet().commit('Make one too many');
    const refused = await fleet().push();
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /QuotaExceeded .*has 2 of services\.nodeports, and ResourceQuota objects allows 1/);
    await fleet().git(['reset', '-q', '--hard', 'HEAD~1']);
    await fleet().removeFiles(file('objects'));
    await uses('objects', {
      configmaps: '0',
      secrets: '0',
      services: '0',
      'services.nodeports': '0',
      replicationcontrollers: '0',
      'count/replicasets.apps': '0',
    });
    await remove();
  });

  it('lets no more pods be made, says so, and lets them be when it is raised [conformance: resourcequota-object-count-quota-pod, resourcequota-update-and-delete, resourcequota-manage-lifecycle-of-a-resourcequota]', async () => {
    const web = (replicas: number): string =>
      object(
        'apps/v1',
        'Deployment',
        'web',
        `spec: {replicas: ${replicas}, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {terminationGracePeriodSeconds: 0, ${container('requests: {cpu: 10m, memory: 8Mi}')}}}}`,
      );
    const failure = async (): Promise<string | undefined> =>
      findCondition((await fleet().list('Deployment', namespace))[0]?.status?.conditions, 'ReplicaFailure')?.message;
    await put('quota', quota('pods', 'pods: 2, requests.cpu: 1, requests.memory: 1Gi'));
    await put('web', web(3));
    await fleet().commitAndPush('Run more than fits');
    await uses('pods', { pods: '2', 'requests.cpu': '20m', 'requests.memory': '16Mi' });
    const why = await eventually('the Deployment says why', 30, failure);
    assert.equal(why, 'exceeded quota: pods, requested: pods=1, used: pods=2, limited: pods=2');
    assert.match((await fleet().plumb('status')).stdout, /exceeded quota: pods/);
    assert.equal((await pods()).length, 2);
    const everywhere = await fleet().list('ResourceQuota');
    assert.ok(everywhere.some(({ metadata }) => metadata.namespace === namespace && metadata.name === 'pods'));

    await put('quota', quota('pods', 'pods: 3, requests.cpu: 1, requests.memory: 1Gi'));
    await fleet().commitAndPush('Allow one more');
    await eventually('three run, and nothing is wrong', 60, async () => {
      const found = await pods();
      return found.length === 3 && found.every(isReady) && (await failure()) === undefined;
    });
    await put('web', web(0));
    await fleet().commitAndPush('Run none');
    await uses('pods', { pods: '0', 'requests.cpu': '0', 'requests.memory': '0' });
    await put('web', web(4));
    await fleet().removeFiles(file('quota'));
    await eventually('four run without a quota', 60, async () => (await pods()).filter(isReady).length === 4);
    await remove();
  });

  it('counts the pods of its scopes alone [conformance: resourcequota-quota-scope-besteffort-and, resourcequota-quota-scope-terminating-and]', async () => {
    const scoped = (name: string, scope: string): string => quota(name, 'pods: 5', `  scopes: [${scope}]\n`);
    await put(
      'quotas',
      scoped('best-effort', 'BestEffort'),
      scoped('not-best-effort', 'NotBestEffort'),
      scoped('terminating', 'Terminating'),
      scoped('not-terminating', 'NotTerminating'),
    );
    await put(
      'pods',
      pod('plain', ''),
      pod('asking', 'requests: {cpu: 10m}'),
      pod('ending', 'limits: {cpu: 10m}', 'activeDeadlineSeconds: 3600, '),
    );
    await fleet().commitAndPush('Run pods of all scopes');
    await uses('best-effort', { pods: '1' });
    await uses('not-best-effort', { pods: '2' });
    await uses('terminating', { pods: '1' });
    await uses('not-terminating', { pods: '2' });
    await fleet().removeFiles(file('pods'));
    for (const name of ['best-effort', 'not-best-effort', 'terminating', 'not-terminating'])
      await uses(name, { pods: '0' });
    await remove();
  });

  it('a LimitRange fills in what containers do not say, and pods beyond it are refused [conformance: limitrange-resources]', async () => {
    const range = (max: string): string =>
      object(
        'v1',
        'LimitRange',
        'limits',
        `spec: {limits: [{type: Container, max: {cpu: ${max}}, default: {cpu: 200m, memory: 64Mi}, defaultRequest: {cpu: 10m, memory: 8Mi}}]}`,
      );
    await put('range', range('300m'));
    await put('pods', pod('silent', ''), pod('partial', 'requests: {cpu: 20m}, limits: {memory: 32Mi}'));
    await fleet().commitAndPush('Run pods within limits');
    const found = await eventually('both run', 60, async () => {
      const all = await pods();
      return all.length === 2 && all.every(isReady) && all;
    });
    const resources = (name: string): unknown =>
      found.find(({ metadata }) => metadata.name === name)?.spec.containers[0]?.resources;
    assert.deepEqual(resources('silent'), {
      limits: { cpu: '200m', memory: '64Mi' },
      requests: { cpu: '10m', memory: '8Mi' },
    });
    assert.deepEqual(resources('partial'), {
      limits: { cpu: '200m', memory: '32Mi' },
      requests: { cpu: '20m', memory: '32Mi' },
    });
    await put('greedy', pod('greedy', 'limits: {cpu: 400m}'));
    await fleet().commit('Ask for too much');
    assert.match((await fleet().push()).stderr, /LimitRangeExceeded .*maximum cpu usage per Container is 300m/);
    await put('range', range('500m'));
    await fleet().commitAndPush('Raise the limit');
    await eventually('it runs', 60, async () => (await pods()).filter(isReady).length === 3);
    await remove();
  });

  it('LimitRanges are listed over namespaces, changed by a commit, and dropped together by their label [conformance: limitrange-list-patch-and-delete-a-limitrange-by]', async () => {
    const other = `${namespace}-other`;
    const range = (name: string, of: string, max: string): string =>
      `apiVersion: v1\nkind: LimitRange\nmetadata: {name: ${name}, namespace: ${of}, labels: {of: ${namespace}}}\nspec: {limits: [{type: Container, max: {cpu: ${max}}}]}\n`;
    const listed = async (): Promise<readonly unknown[]> => {
      const asked = await fleet().plumb('get', 'limitranges', '-A', '-l', `of=${namespace}`, '-o', 'json');
      assert.equal(asked.code, 0, asked.stderr);
      const { items } = JSON.parse(asked.stdout) as { readonly items: readonly StoredOf<'LimitRange'>[] };
      return items
        .map(({ metadata, spec }) => [metadata.namespace, metadata.name, spec.limits[0]?.max?.['cpu']])
        .sort();
    };
    const tells = (...wanted: readonly (readonly [string, string, string])[]): Promise<unknown> =>
      eventually(`the list is ${JSON.stringify(wanted)}`, 60, async () => isDeepStrictEqual(await listed(), wanted));
    await put('first', range('first', namespace, '300m'), range('second', namespace, '400m'));
    await fleet().write(
      file('other'),
      `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${other}}\n---\n${range('first', other, '1')}`,
    );
    await fleet().commitAndPush('Limit two namespaces');
    await tells([namespace, 'first', '300m'], [namespace, 'second', '400m'], [other, 'first', '1']);
    await put('first', range('first', namespace, '500m'), range('second', namespace, '400m'));
    await fleet().commitAndPush('Change one');
    await tells([namespace, 'first', '500m'], [namespace, 'second', '400m'], [other, 'first', '1']);
    await fleet().removeFiles(file('first'));
    await tells([other, 'first', '1']);
    await remove();
    await tells();
  });
};

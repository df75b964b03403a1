/** What the labels of a namespace do: to a commit, and to what is made in it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  EphemeralContainer,
  keyOf,
  type KubeObject,
  type Namespace,
  type Pod,
} from '../../../contracts/objects/index.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import { composeState, formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { levelText, MODES, policyOf } from '../../../reconciler/core/pod-security/policy.ts';
import { NOW, stored, viewOf } from '../admission/objects.ts';
import { pod } from '../controllers/objects.ts';

const P = 'pod-security.kubernetes.io';

describe('labels of Pod Security Standards', () => {
  const rows: readonly (readonly [labels: Record<string, string>, enforce: string, audit: string, warn: string])[] = [
    [{}, 'privileged:latest', 'privileged:latest', 'privileged:latest'],
    [{ app: 'x' }, 'privileged:latest', 'privileged:latest', 'privileged:latest'],
    [{ [`${P}/enforce`]: 'baseline' }, 'baseline:latest', 'privileged:latest', 'baseline:latest'],
    [
      { [`${P}/enforce`]: 'baseline', [`${P}/enforce-version`]: 'v1.30', [`${P}/warn`]: 'restricted' },
      'baseline:v1.30',
      'privileged:latest',
      'restricted:v1.30',
    ],
    [
      {
        [`${P}/enforce`]: 'restricted',
        [`${P}/warn`]: 'privileged',
        [`${P}/audit`]: 'baseline',
        [`${P}/audit-version`]: 'v1.0',
      },
      'restricted:latest',
      'baseline:v1.0',
      'privileged:latest',
    ],
    [
      { [`${P}/enforce`]: 'strict', [`${P}/audit`]: 'x', [`${P}/warn`]: 'x', [`${P}/warn-version`]: '1.30' },
      'restricted:latest',
      'privileged:latest',
      'privileged:latest',
    ],
  ];
  for (const [labels, ...expected] of rows)
    it(JSON.stringify(labels), () => {
      const policy = policyOf(labels);
      assert.deepEqual(
        MODES.map((mode) => levelText(policy[mode])),
        expected,
      );
    });
});

function told(labels: string, manifest: string): readonly string[] {
  const texts = {
    'ns.yaml': `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team\n  labels:\n${labels}\n`,
    'app.yaml': manifest,
  };
  const files = Object.entries(texts).map(([path, text]) => parseManifest(path, path, new TextEncoder().encode(text)));
  return composeState(files, []).diagnostics.map(formatDiagnostic);
}
const POD = (fields: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: team}\nspec:\n  containers: [{name: c, image: "a:1"}]\n  ${fields}\n`;
const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: team}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      hostPID: true
      containers: [{name: c, image: "a:1"}]
`;
const CRON_JOB = `apiVersion: batch/v1
kind: CronJob
metadata: {name: web, namespace: team}
spec:
  schedule: "@hourly"
  jobTemplate:
    spec:
      template:
        spec:
          hostPID: true
          restartPolicy: Never
          containers: [{name: c, image: "a:1"}]
`;
const HINT = 'change its securityContext, or the labels of Namespace team';

describe('a commit with a namespace of a standard', () => {
  const rows: readonly (readonly [what: string, labels: string, manifest: string, expected: readonly string[]])[] = [
    ['lets a pod that keeps to it pass', `    ${P}/enforce: baseline`, POD(''), []],
    [
      'refuses a pod that does not',
      `    ${P}/enforce: baseline`,
      POD('hostPID: true'),
      [
        `app.yaml:4:1 PodSecurityViolated spec violates PodSecurity "baseline:latest": host namespaces (hostPID=true); ${HINT}`,
      ],
    ],
    [
      'warns of what makes such pods',
      `    ${P}/enforce: baseline`,
      DEPLOYMENT,
      [
        `app.yaml:8:5 PodSecurityViolated warning: spec.template.spec would violate PodSecurity "baseline:latest": host namespaces (hostPID=true); ${HINT}`,
      ],
    ],
    [
      'and of what makes what makes them',
      `    ${P}/enforce-version: v1.30\n    ${P}/enforce: baseline`,
      CRON_JOB,
      [
        `app.yaml:9:9 PodSecurityViolated warning: spec.jobTemplate.spec.template.spec would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true); ${HINT}`,
      ],
    ],
    [
      'only warns where it is not enforced, once for each standard',
      `    ${P}/warn: baseline\n    ${P}/audit: baseline`,
      POD('hostPID: true'),
      [
        `app.yaml:4:1 PodSecurityViolated warning: spec would violate PodSecurity "baseline:latest": host namespaces (hostPID=true); ${HINT}`,
      ],
    ],
    [
      'refuses a level and a version that there are not',
      `    ${P}/enforce: strict\n    ${P}/warn-version: "1.30"`,
      '',
      [
        `ns.yaml:6:41 InvalidValue metadata.labels[${P}/enforce] must be one of privileged, baseline, restricted, found "strict"`,
        `ns.yaml:7:46 InvalidValue metadata.labels[${P}/warn-version] must be "latest" or "v1.x", found "1.30"`,
      ],
    ],
    [
      'warns of a label that asks nothing',
      `    ${P}/enforced: restricted`,
      POD('hostPID: true'),
      [
        `ns.yaml:6:42 UnknownLabel warning: metadata.labels[${P}/enforced] is none of the labels of Pod Security Standards, and asks nothing of the pods; did you mean ${P}/enforce?`,
      ],
    ],
  ];
  for (const [what, labels, manifest, expected] of rows)
    it(what, () => {
      assert.deepEqual(told(labels, manifest), expected);
    });
});

describe('a pod that is made in a namespace with a standard', () => {
  const namespace = (labels: Record<string, string>): Namespace => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'default', labels },
  });
  const asked = (labels: Record<string, string>): Pick<Parameters<typeof admit>[0], 'by' | 'now' | 'view'> => {
    const home = stored(namespace(labels));
    return { by: 'replicaset-controller', now: NOW, view: viewOf(new Map([[keyOf(home), home]])) };
  };
  const create = (labels: Record<string, string>, object: KubeObject): ReturnType<typeof admit> =>
    admit({ operation: 'create', object, ...asked(labels) });
  const enforced = { [`${P}/enforce`]: 'baseline' };

  it('is refused where it does not keep to it, in the words of Kubernetes', () => {
    const verdict = create(enforced, pod('web', { hostPID: true }));
    assert.deepEqual(verdict, {
      admitted: false,
      reason: 'Forbidden',
      message: 'create Pod/default/web: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    });
  });

  it('is made where it does, and where nothing is enforced', () => {
    assert.ok(create(enforced, pod('web')).admitted);
    assert.ok(create({}, pod('web', { hostPID: true })).admitted);
    assert.ok(create({ [`${P}/warn`]: 'restricted' }, pod('web', { hostPID: true })).admitted);
  });

  it('may be bound, labelled and ended when the standard came later, but gets no other image or container', () => {
    const old = stored(pod('web', { hostPID: true }));
    const update = (spec: Pod['spec']): ReturnType<typeof admit> =>
      admit({ operation: 'update', old, object: { ...old, spec }, ...asked(enforced) });
    assert.ok(update({ ...old.spec, nodeName: 'n' }).admitted);
    const debug = EphemeralContainer.parse({ name: 'look', image: 'busybox:1' });
    assert.ok(!update({ ...old.spec, ephemeralContainers: [debug] }).admitted);
    const other = { ...old.spec, containers: old.spec.containers.map((c) => ({ ...c, image: 'other:1' })) };
    assert.ok(!update(other).admitted);
  });
});

/** Checks of objects against each other look at each of them a bounded number of times, however many there are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObjectKey } from '../../../contracts/objects/index.ts';
import { checkBudgets } from '../../../reconciler/core/manifests/compose-budgets.ts';
import { checkLimits } from '../../../reconciler/core/manifests/compose-limits.ts';
import { checkPodSecurity } from '../../../reconciler/core/manifests/compose-pod-security.ts';
import { checkQuotas } from '../../../reconciler/core/manifests/compose-quotas.ts';
import { checkReferences } from '../../../reconciler/core/manifests/compose-references.ts';
import {
  composeState,
  parseManifest,
  type DesiredObject,
  type DesiredState,
} from '../../../reconciler/core/manifests/index.ts';
import { Suggestions } from '../../../reconciler/core/manifests/suggest.ts';
import { finish, type Paced } from '../../../reconciler/core/paced.ts';

/** Documents of one kind of mistake or another, in files that are not too large. */
function compose(documents: readonly string[]): ReturnType<typeof composeState> {
  const files = Array.from({ length: Math.ceil(documents.length / 200) }, (_, i) =>
    parseManifest(
      `f${i}.yaml`,
      'oid',
      new TextEncoder().encode(documents.slice(i * 200, (i + 1) * 200).join('\n---\n')),
    ),
  );
  return composeState(files, []);
}

const repeated = (count: number, text: (i: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => text(i));

/** The state, and how many of its objects' fields were read. */
function watched(state: DesiredState): { readonly state: DesiredState; readonly reads: () => number } {
  let reads = 0;
  const watch = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(of, name, receiver): unknown {
        reads++;
        const value: unknown = Reflect.get(of, name, receiver);
        return typeof value === 'object' && value !== null ? watch(value) : value;
      },
    });
  const objects = new Map<ObjectKey, DesiredObject>();
  for (const [key, desired] of state) objects.set(key, { ...desired, object: watch(desired.object) });
  return { state: objects, reads: () => reads };
}

describe('the reads of objects grow as the objects do', () => {
  const quotas = (state: DesiredState): void => {
    finish(checkQuotas(state, () => undefined));
  };
  const cases: readonly {
    readonly name: string;
    readonly check: (state: DesiredState) => void;
    readonly documents: (i: number) => string;
  }[] = [
    {
      name: 'for quotas of many namespaces',
      check: quotas,
      documents: (i) => `apiVersion: v1
kind: Namespace
metadata: {name: n${i}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: n${i}}
spec: {hard: {configmaps: 9, count/configmaps: 9}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: n${i}}`,
    },
    {
      name: 'for quotas of one namespace',
      check: quotas,
      documents: (i) => `apiVersion: v1
kind: ResourceQuota
metadata: {name: q${i}}
spec: {hard: {services: 9000, count/services: 9000, services.nodeports: 9}}
---
apiVersion: v1
kind: Service
metadata: {name: s${i}}
spec: {ports: [{port: 80}]}`,
    },
    {
      name: 'for disruption budgets',
      check: (state) => {
        checkBudgets(state, () => undefined);
      },
      documents: (i) => `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: b${i}}
spec: {minAvailable: 1, selector: {matchLabels: {app: a${i}, team: x}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: r${i}}
spec: {selector: {matchLabels: {app: a${i}}}, template: {metadata: {labels: {app: a${i}, team: x}}, spec: {containers: [{name: c, image: x}]}}}`,
    },
    {
      name: 'for the ports that Services name',
      check: (state) => {
        checkReferences(state, new Set(), new Suggestions(), () => undefined);
      },
      documents: (i) => `apiVersion: v1
kind: Service
metadata: {name: s${i}}
spec: {selector: {app: a${i}, team: x}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: r${i}}
spec: {selector: {matchLabels: {app: a${i}}}, template: {metadata: {labels: {app: a${i}, team: x}}, spec: {containers: [{name: c, image: x}]}}}`,
    },
  ];
  for (const { name, check, documents } of cases) {
    it(name, () => {
      const [some, more] = [20, 80].map((count) => {
        const { state, reads } = watched(compose(repeated(count, documents)).state);
        check(state);
        return reads();
      });
      assert.ok(some !== undefined && more !== undefined && some > 0);
      assert.ok(more <= 4 * some, `${more} for four times the objects that took ${some}`);
    });
  }
});

describe('the longest checks may be held', () => {
  /** The most objects whose fields were read from one pause to the next. */
  function mostAtOnce(state: DesiredState, check: (state: DesiredState) => Paced<void>): number {
    const read = new Set<ObjectKey>();
    const objects = new Map<ObjectKey, DesiredObject>();
    for (const [key, desired] of state) {
      const object = new Proxy(desired.object, {
        get(of, name, receiver): unknown {
          if (name === 'spec') read.add(key);
          return Reflect.get(of, name, receiver);
        },
      });
      objects.set(key, { ...desired, object });
    }
    let most = 0;
    for (const work = check(objects); !work.next().done; read.clear()) most = Math.max(most, read.size);
    return most;
  }

  const pods = repeated(
    50,
    (i) => `apiVersion: v1
kind: Pod
metadata: {name: p${i}}
spec: {containers: [{name: c, image: x, resources: {requests: {cpu: 2}}}]}`,
  );
  const quota = (i: number): string => `apiVersion: v1
kind: ResourceQuota
metadata: {name: q${i}}
spec: {hard: {cpu: 1, pods: 9}}`;
  const range = (i: number): string => `apiVersion: v1
kind: LimitRange
metadata: {name: r${i}}
spec: {limits: [{type: Container, max: {cpu: 1}}]}`;

  for (const [name, check, more] of [
    ['at each pod and each of its quotas', checkQuotas, repeated(20, quota)],
    ['at each pod and its limits', checkLimits, [range(1)]],
    ['at each pod and its standards', checkPodSecurity, []],
  ] as const) {
    it(name, () => {
      const { state } = compose([...pods, ...more]);
      const most = mostAtOnce(state, (held) => check(held, () => undefined));
      assert.ok(most > 0 && most <= 2, `${most} objects without a pause`);
    });
  }
});

describe('names that nothing has', () => {
  const hints = (documents: readonly string[], code: string): string[] =>
    compose(documents)
      .diagnostics.filter((d) => d.code === code)
      .map(({ hint = '' }) => hint);

  it('are all told, but only so many are searched for what was meant', () => {
    const told = hints(
      [
        ...repeated(300, (i) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: team-${1000 + i}}`),
        ...repeated(300, (i) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: teem-${1000 + i}}`),
      ],
      'UnknownNamespace',
    );
    assert.equal(told.length, 300);
    const guessed = told.filter((hint) => hint.startsWith('did you mean team-'));
    assert.ok(guessed.length > 0 && guessed.length < 100, String(guessed.length));
  });

  it('within one pod also', () => {
    const pod = `apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  volumes: [${repeated(400, (i) => `{name: vol-${i}}`).join(', ')}]
  containers: [{name: c, image: x, volumeMounts: [${repeated(150, (i) => `{name: voll-${i}, mountPath: /m${i}}`).join(', ')}]}]`;
    const told = hints([pod], 'UnknownVolume');
    assert.equal(told.length, 150);
    const guessed = told.filter((hint) => hint.startsWith('did you mean vol-'));
    assert.ok(guessed.length > 0 && guessed.length < 100, String(guessed.length));
  });

  it('have hints that are short, however many names there are', () => {
    const ports = repeated(100, (i) => `{name: port-${i}, containerPort: ${i + 1}}`).join(', ');
    const [hint] = hints(
      [
        'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}, ports: [{port: 80, targetPort: http}]}',
        `apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: b}}\nspec: {containers: [{name: c, image: x, ports: [${ports}]}]}`,
      ],
      'TargetPortNotFound',
    );
    assert.match(hint ?? '', /port-11 and 88 more$/);
  });
});

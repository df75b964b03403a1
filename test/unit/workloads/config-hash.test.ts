/** A changed ConfigMap or Secret as a new template: what changes the hash, who rolls because of it, and who does not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CONFIG_HASH,
  keyOf,
  objectKey,
  type Deployment,
  type KubeObject,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { Claim } from '../../../contracts/agent/index.ts';
import { daemonSetController } from '../../../reconciler/controllers/daemonset.ts';
import { deploymentController } from '../../../reconciler/controllers/deployment.ts';
import { replicaSetController } from '../../../reconciler/controllers/replicaset.ts';
import { formatPlan, planSync } from '../../../reconciler/core/diff/index.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { composeState, parseManifest, type DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { ConfigHashes } from '../../../reconciler/core/revisions/config-hashes.ts';
import { ConfigHasher, configHashOf } from '../../../reconciler/core/workloads/config-hash.ts';
import { sameTemplate } from '../../../reconciler/core/workloads/template.ts';
import { machine } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const KEY = new Uint8Array(32).fill(7);
const WEB = objectKey('Deployment', 'default', 'web');

const CONFIG = { a: '1', b: '2' };
interface Parts {
  readonly config?: Readonly<Record<string, string>> | undefined;
  readonly secret?: string;
  readonly env?: string;
  readonly spec?: string;
  readonly annotations?: string;
  readonly kind?: string;
  readonly replicas?: number;
}

function files({
  config = CONFIG,
  secret = 'x',
  env = '',
  spec = '',
  annotations = '',
  kind = 'Deployment',
  replicas,
}: Parts): string {
  return `apiVersion: apps/v1
kind: ${kind}
metadata: {name: web, annotations: {${annotations}}}
spec:
  ${replicas === undefined ? '' : `replicas: ${replicas}`}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: x, ${env}}]
      ${spec}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: ${JSON.stringify(config)}
---
apiVersion: v1
kind: Secret
metadata: {name: pass}
stringData: {p: "${secret}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {z: "${secret}"}
`;
}

const parsed = (text: string): Parameters<typeof composeState>[0] => [
  parseManifest('a.yaml', 'a', new TextEncoder().encode(text)),
];
function plain(parts: Parts): DesiredState {
  const { state, diagnostics } = composeState(parsed(files(parts)), []);
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  return state;
}
const hashed = (parts: Parts, key = KEY): DesiredState => finish(new ConfigHashes(key).in(plain(parts)));
const deploymentIn = (state: DesiredState): Deployment => state.get(WEB)?.object as Deployment;
const hashIn = (state: DesiredState): string | undefined => configHashOf(deploymentIn(state).spec.template);

const ENV_A = 'env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a}}}]';
const ALL = 'envFrom: [{configMapRef: {name: settings}}]';
const SETTINGS = objectKey('ConfigMap', 'default', 'settings');
const PASSWORD = objectKey('Secret', 'default', 'pass');
const PASS = 'volumes: [{name: v, secret: {secretName: pass}}]';
const SECRET = 'env: [{name: P, valueFrom: {secretKeyRef: {name: pass, key: p}}}]';

describe('the hash of what a template reads', () => {
  const cases: readonly (readonly [what: string, before: Parts, after: Parts, isAnother: boolean])[] = [
    ['a key that is named', { env: ENV_A }, { env: ENV_A, config: { a: '9', b: '2' } }, true],
    ['a key that is not', { env: ENV_A }, { env: ENV_A, config: { a: '1', b: '9' } }, false],
    ['any key, where all are read', { env: ALL }, { env: ALL, config: { a: '1', b: '9' } }, true],
    ['a Secret', { env: SECRET }, { env: SECRET, secret: 'y' }, true],
    ['an object that is not referenced', { env: ALL }, { env: ALL, secret: 'y' }, false],
    [
      'a volume',
      { spec: 'volumes: [{name: v, configMap: {name: settings}}]' },
      { spec: 'volumes: [{name: v, configMap: {name: settings}}]', config: { a: '2' } },
      true,
    ],
    [
      'an item of a projected volume',
      {
        spec: 'volumes: [{name: v, projected: {sources: [{configMap: {name: settings, items: [{key: a, path: a}]}}]}}]',
      },
      {
        spec: 'volumes: [{name: v, projected: {sources: [{configMap: {name: settings, items: [{key: a, path: a}]}}]}}]',
        config: { a: '1' },
      },
      false,
    ],
    [
      'the secret of a registry',
      { spec: 'imagePullSecrets: [{name: pass}]' },
      { spec: 'imagePullSecrets: [{name: pass}]', secret: 'y' },
      false,
    ],
  ];
  for (const [what, before, after, isAnother] of cases)
    it(`${isAnother ? 'follows' : 'does not follow'} ${what}`, () => {
      assert.equal(hashIn(hashed(before)) !== hashIn(hashed(after)), isAnother);
    });

  it('is not there for a template that reads nothing, for one updated in place, and for a Job', () => {
    assert.equal(hashIn(hashed({})), undefined);
    assert.equal(hashIn(hashed({ env: ALL, annotations: 'plumbline.dev/config-update: in-place' })), undefined);
  });

  it('is another under another key, and does not tell the same of it', () => {
    const [one, other] = [hashIn(hashed({ env: SECRET })), hashIn(hashed({ env: SECRET }, new Uint8Array(32)))];
    assert.notEqual(one?.split('.')[0], other?.split('.')[0]);
    assert.notEqual(one?.split('.')[1], other?.split('.')[1]);
  });

  it('leaves the object of a revision as it was where nothing changed', () => {
    const state = plain({ env: ALL });
    const hashes = new ConfigHashes(KEY);
    const again = (): unknown => finish(hashes.in(state)).get(WEB);
    assert.equal(again(), again());
  });

  it('is of the bytes, however their base64 is written', () => {
    const { template } = deploymentIn(plain({ env: ALL, spec: PASS })).spec;
    const hashOf = (data: Readonly<Record<string, string>>, binaryData: Readonly<Record<string, string>>): unknown => {
      const state = new Map<ObjectKey, KubeObject>([
        [SETTINGS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, binaryData }],
        [PASSWORD, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pass' }, type: 'Opaque', data }],
      ]);
      return new ConfigHasher(KEY).hashOf(template, 'default', (key) => state.get(key));
    };
    const one = hashOf({ p: 'c2VjcmV0' }, { b: 'c2V0dGluZw==' });
    assert.equal(hashOf({ p: 'c2Vj\ncmV0\n' }, { b: ' c2V0dGlu\nZw==\n' }), one);
    assert.notEqual(hashOf({ p: 'c2Vj\ncmV1\n' }, { b: 'c2V0dGluZw==' }), one);
    assert.notEqual(hashOf({ p: 'c2VjcmV0' }, { b: 'c2V0dGlu\nZg==\n' }), one);
  });

  it('is made of one object in each turn', () => {
    const state = plain({ env: ALL });
    assert.equal([...new ConfigHashes(KEY).in(state)].length, state.size);
  });

  it('is nothing that a manifest may write', () => {
    const text = files({}).replace(
      'labels: {app: web}}\n    spec',
      `labels: {app: web}, annotations: {${CONFIG_HASH}: x}}\n    spec`,
    );
    assert.ok(composeState(parsed(text), []).diagnostics.some(({ code }) => code === 'ReservedAnnotation'));
    const wrong = files({ annotations: 'plumbline.dev/config-update: never' });
    assert.ok(
      composeState(parsed(wrong), []).diagnostics.some(({ message }) => /must be in-place, found never/.test(message)),
    );
  });
});

it('templates are the same where their configs cannot be compared', () => {
  const of = (state: DesiredState): Deployment['spec']['template'] => deploymentIn(state).spec.template;
  const one = of(hashed({ env: ALL }));
  const changed = of(hashed({ env: ALL, config: { a: '2' } }));
  assert.equal(sameTemplate(one, changed), false);
  assert.equal(sameTemplate(one, of(plain({ env: ALL }))), true);
  assert.equal(sameTemplate(one, of(hashed({ env: ALL, config: { a: '2' } }, new Uint8Array(32)))), true);
  assert.equal(sameTemplate(one, of(plain({ env: ENV_A }))), false);
});

describe('a plan', () => {
  const plan = (before: DesiredState, after: DesiredState): string =>
    formatPlan(
      planSync({
        sourceName: 's',
        applied: before,
        desired: after,
        live: new Map([...before].map(([key, { object }]) => [key, object])),
      }),
      'text',
    );
  it('says which workloads roll because of it, in one update', () => {
    const hashes = new ConfigHashes(KEY);
    const text = plan(
      finish(hashes.in(plain({ env: ALL }))),
      finish(hashes.in(plain({ env: ALL, config: { a: '9' } }))),
    );
    assert.match(
      text,
      /~ Deployment\/default\/web\n {4}its pods are replaced: what they read of ConfigMaps and Secrets changes\n/,
    );
    assert.match(text, /2 to update/);
  });
  it('says that pods stay where only the hash is new', () => {
    assert.match(plan(plain({ env: ALL }), hashed({ env: ALL })), /noted from now on; they stay/);
    const inPlace = hashed({ env: ALL, annotations: 'plumbline.dev/config-update: in-place' });
    assert.match(plan(hashed({ env: ALL }), inPlace), /no longer noted; they stay/);
  });
});

class Cluster extends World {
  constructor() {
    super([deploymentController, replicaSetController(new NodeMonitor()), daemonSetController()]);
  }
  /** As the sync does: what others set stays. */
  push(state: DesiredState): void {
    for (const { object } of state.values()) {
      const before = this.get(keyOf(object));
      this.put({ ...(before && { status: (before as { status?: unknown }).status }), ...object } as KubeObject);
    }
    this.settle();
  }
  sets(): readonly (readonly [replicas: number, hash: string | undefined])[] {
    return this.list('ReplicaSet').map(({ spec }) => [spec.replicas, configHashOf(spec.template)] as const);
  }
}

describe('a workload whose config changes', () => {
  it('gets a new ReplicaSet, and with a revert the old one again', () => {
    const w = new Cluster();
    w.push(hashed({ env: ALL }));
    w.push(hashed({ env: ALL, config: { a: '9' } }));
    assert.equal(w.sets().length, 2);
    w.push(hashed({ env: ALL }));
    w.settle();
    assert.equal(w.sets().length, 2);
  });

  it('does not roll when it gets its first hash, and does with the next one', () => {
    const w = new Cluster();
    w.push(plain({ env: ALL }));
    const pods = w.list('Pod').map(({ metadata }) => metadata.uid);
    w.push(hashed({ env: ALL }));
    assert.deepEqual(w.sets(), [[1, hashIn(hashed({ env: ALL }))]]);
    assert.deepEqual(
      w.list('Pod').map(({ metadata }) => metadata.uid),
      pods,
    );
    w.push(hashed({ env: ALL, config: { a: '9' } }));
    assert.equal(w.sets().length, 2);
  });

  it('does not roll when it is updated in place from now on, and goes on with what it runs', () => {
    const w = new Cluster();
    w.push(hashed({ env: ALL }));
    w.push(hashed({ env: ALL, config: { a: '9' } }));
    for (const pod of w.list('Pod'))
      w.put({
        ...pod,
        status: {
          phase: 'Running',
          conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: w.now.toISOString() }],
        },
      });
    w.settle();
    const running = (): readonly (readonly [number, string])[] =>
      w.list('ReplicaSet').flatMap(({ metadata, spec }) => (spec.replicas > 0 ? [[spec.replicas, metadata.name]] : []));
    const before = running();
    w.push(
      hashed({ env: ALL, config: { a: '10' }, annotations: 'plumbline.dev/config-update: in-place', replicas: 2 }),
    );
    assert.deepEqual(
      running(),
      before.map(([, name]) => [2, name]),
    );
    // The node keeps the files of a pod with a hash.
    const hashes = w.list('Pod').flatMap((pod) => (pod.status?.phase === 'Running' ? [] : [configHashOf(pod)]));
    assert.deepEqual(hashes, [undefined]);
  });

  it('that is a DaemonSet keeps its revision with the first hash, and gets another with the next one', () => {
    const w = new Cluster();
    w.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1' },
      spec: {},
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    } as unknown as KubeObject);
    const parts = { env: ALL, kind: 'DaemonSet' };
    w.push(plain(parts));
    const [revision] = w.list('ControllerRevision').map(({ metadata }) => metadata.name);
    w.push(hashed(parts));
    assert.deepEqual(
      w.list('ControllerRevision').map(({ metadata }) => metadata.name),
      [revision],
    );
    w.push(hashed({ ...parts, config: { a: '9' } }));
    assert.equal(w.list('ControllerRevision').length, 2);
  });
});

describe('after the store was lost', () => {
  const EMPTY = new Uint8Array(32);
  /** Pods that run of that state, each of its ReplicaSet. */
  function claims(state: DesiredState): readonly Claim[] {
    const w = new Cluster();
    w.push(state);
    return w
      .list('Pod')
      .map((pod) => Claim.parse({ ...pod, spec: { ...pod.spec, nodeName: 'n1' }, status: undefined }));
  }
  function recovered(inGit: DesiredState, earlier: DesiredState, pods: readonly Claim[]): string[] {
    const template = (of: DesiredState): Deployment['spec']['template'] => deploymentIn(of).spec.template;
    const { objects } = recoverState({
      words: [{ node: 'n1', claims: pods, pods: [] }],
      silent: [],
      machines: [machine('n1')],
      source: { name: 's', url: 'git', branch: 'main' },
      appliedRevision: 'f'.repeat(40),
      applied: inGit,
      templates: new Map([[WEB, [template(inGit), template(earlier)]]]),
      incarnation: 'i',
      now: new Date('2026-03-01T12:00:00Z'),
    });
    return objects.flatMap((object) => (object.kind === 'Pod' ? [configHashOf(object) ?? 'none'] : []));
  }
  const [older, newer] = [hashed({ env: ALL }), hashed({ env: ALL, config: { a: '9' } })];
  it('knows pods with older config as of the older revision', () => {
    assert.deepEqual(recovered(newer, older, claims(older)), [hashIn(older)]);
    assert.deepEqual(recovered(newer, older, claims(newer)), [hashIn(newer)]);
  });
  it('knows pods of before there were hashes, and of another key, as of the newest', () => {
    assert.deepEqual(recovered(newer, older, claims(plain({ env: ALL }))), [hashIn(newer)]);
    assert.deepEqual(recovered(newer, older, claims(hashed({ env: ALL }, EMPTY))), [hashIn(newer)]);
  });
});

/** Desired and live states for the tests of the planner. */
import type { KubeObject, ObjectKey } from '../../../contracts/objects/index.ts';
import type { Plan, PlanInput } from '../../../reconciler/core/diff/index.ts';
import {
  composeState,
  formatDiagnostic,
  parseManifest,
  type Desired,
  type DesiredState,
} from '../../../reconciler/core/manifests/index.ts';

export type Live = ReadonlyMap<ObjectKey, KubeObject>;
export const NOTHING: DesiredState = new Map();

/** The state that a file holds; throws when it holds mistakes. */
export function desired(text: string, file?: string): DesiredState {
  return wanted(text, file).state;
}

/** The same, with objects of custom kinds. */
export function wanted(text: string, file = 'app.yaml'): Desired {
  const { diagnostics, ...rendered } = composeState([parseManifest(file, 'oid', new TextEncoder().encode(text))], []);
  const errors = diagnostics.filter((d) => d.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(formatDiagnostic).join('\n'));
  return rendered;
}

export function deployment(
  name: string,
  fields: {
    readonly image?: string;
    readonly replicas?: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly app?: string;
  } = {},
): string {
  const { image = 'hello:1', replicas = 1, env = {}, app = name } = fields;
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: {
          containers: [{ name: 'web', image, env: Object.entries(env).map(([k, value]) => ({ name: k, value })) }],
        },
      },
    },
  });
}

export function manifests(...documents: readonly string[]): string {
  return documents.join('\n---\n');
}

/** The live objects after a plan was carried out; created objects get what the store gives. */
export function carryOut(live: Live, plan: Plan): Live {
  const after = new Map(live);
  for (const item of plan.items) {
    if (item.action === 'delete') after.delete(item.key);
    else if (item.action === 'update') after.set(item.key, item.object);
    else {
      const stored = {
        uid: `uid-${item.key}`,
        resourceVersion: '1',
        generation: 1,
        creationTimestamp: '2024-01-01T00:00:00Z',
      };
      after.set(item.key, { ...item.object, metadata: { ...item.object.metadata, ...stored } });
    }
  }
  return after;
}

export function planInput(fields: Partial<PlanInput>): PlanInput {
  return { sourceName: 'main', applied: NOTHING, desired: NOTHING, live: new Map(), ...fields };
}

/** The live object with fields replaced, deeply; undefined removes. */
export function edited(live: Live, key: ObjectKey, change: (object: KubeObject) => unknown): Live {
  const object = live.get(key);
  if (!object) throw new Error(`no ${key}`);
  return new Map(live).set(key, change(structuredClone(object)) as KubeObject);
}

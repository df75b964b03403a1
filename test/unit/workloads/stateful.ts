/** A StatefulSet and its pods, for tests. */
import { StatefulSetManifest, type Pod, type StatefulSet } from '../../../contracts/objects/index.ts';
import { condition, TIME } from '../controllers/objects.ts';

export function statefulSet(spec: object = {}, image = 'db:v1'): StatefulSet {
  return StatefulSetManifest.parse({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default' },
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: templateOf(image),
      ...spec,
    },
  });
}

/** Fields of one whose pods keep data. */
export const CLAIMED = {
  volumeClaimTemplates: [
    {
      metadata: { name: 'data', labels: { tier: 'data' } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
  ],
};

function templateOf(image: string): object {
  return { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'db', image }] } };
}

/** The pod as its node reports it. */
export function reported<P extends Pod>(
  pod: P,
  phase: 'Pending' | 'Running' | 'Failed' | 'Succeeded',
  ready = false,
  at = TIME,
): P {
  return {
    ...pod,
    status: { phase, conditions: [condition('Ready', ready ? 'True' : 'False', { lastTransitionTime: at })] },
  };
}

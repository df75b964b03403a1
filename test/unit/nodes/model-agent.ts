/** What an agent does with updates, without a wire. */
import assert from 'node:assert/strict';
import { keyOf, type KubeObject, type ObjectKey } from '../../../contracts/objects/index.ts';
import type { AssignmentDelta, AssignmentTracker } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import { projectionText } from '../../../reconciler/core/nodes/projection.ts';

export class Agent {
  version: string | null = null;
  objects = new Map<ObjectKey, KubeObject>();
  take(delta: AssignmentDelta): void {
    if (delta.from === null) this.objects.clear();
    else assert.equal(delta.from, this.version);
    for (const key of [...delta.shared.remove, ...delta.remove]) this.objects.delete(key);
    for (const object of [...delta.shared.upsert, ...delta.upsert]) this.objects.set(keyOf(object), object);
    this.version = delta.to;
  }
  ending(): string[] {
    return [...this.objects.values()].flatMap(({ kind, metadata }) =>
      kind === 'Pod' && metadata.deletionTimestamp !== undefined ? [metadata.uid ?? ''] : [],
    );
  }
  contents(): string[] {
    return this.keys().map((key) => projectionText(this.objects.get(key as ObjectKey)!));
  }
  keys(): string[] {
    return [...this.objects.keys()].sort();
  }
}

/** What waits is published, and the agent holds what the tracker wants. */
export function bringUp(from: AssignmentTracker, node: string, agent = new Agent()): Agent {
  from.publish();
  for (let i = 0; i < 5 && from.isBehind(node); i += 1) {
    const delta =
      from.delta(node) ??
      from.wholeDelta(node, { version: agent.version, keys: [...agent.objects.keys()], ending: agent.ending() });
    agent.take(delta);
    from.acknowledge(node, delta);
  }
  assert.equal(from.isBehind(node), false);
  return agent;
}

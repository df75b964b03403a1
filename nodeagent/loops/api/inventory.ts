/**
 * `GET /v1/inventory/lines`. One line after the other, so that neither side has a big cluster's answer in memory at
 * once.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AgentInfo, InventoryLine } from '../../../contracts/agent/index.ts';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { keyOf } from '../../../contracts/objects/key.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import type { StatusHub } from '../status-hub.ts';

/** Told whole: what only a node knows after the store was lost is in these. */
const TOLD = ['Source', 'Node', 'Service', 'Pod'] as const;
/** Of these the keys are enough: they come from Git again. */
const NAMED = ['Cluster', 'ConfigMap', 'Secret', 'EndpointSlice', 'Deployment', 'ReplicaSet'] as const;
const KEYS_PER_LINE = 500;

export async function streamInventory(
  response: ServerResponse,
  info: AgentInfo,
  assignment: AssignmentStore,
  hub: StatusHub,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  for (const line of inventoryLines(info, assignment, hub)) {
    if (gone.signal.aborted) return;
    if (!response.write(`${JSON.stringify(line)}\n`))
      await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}

function* inventoryLines(info: AgentInfo, assignment: AssignmentStore, hub: StatusHub): Generator<InventoryLine> {
  const view = assignment.current();
  yield { info };
  for (const kind of TOLD) for (const object of view.list(kind)) yield { object };
  const keys = NAMED.flatMap((kind): readonly KubeObject[] => view.list(kind)).map(keyOf);
  for (let first = 0; first < keys.length; first += KEYS_PER_LINE)
    yield { held: keys.slice(first, first + KEYS_PER_LINE) };
  for (const pod of hub.pods()) yield { pod };
  yield { end: true };
}

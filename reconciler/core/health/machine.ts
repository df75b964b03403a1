/** Health of a server: its Machine and its Node. */
import { findCondition, objectKey, type Condition, type Machine, type Node } from '../../../contracts/objects/index.ts';
import { degraded, healthy, progressing, type Health, type HealthView } from './health.ts';

function explained(condition: Condition): string {
  return [condition.reason, condition.message].filter(Boolean).join(': ');
}

export function nodeHealth(node: Node): Health {
  const ready = findCondition(node.status?.conditions, 'Ready');
  if (!ready) return progressing('has not reported yet');
  if (ready.status !== 'True') return degraded(`is not ready: ${explained(ready)}`);
  const network = findCondition(node.status?.conditions, 'NetworkUnavailable');
  if (network?.status === 'True') return degraded(`its network is not as it should be: ${explained(network)}`);
  return healthy(node.spec.unschedulable === true ? 'is ready, scheduling disabled' : 'is ready');
}

export function machineHealth(machine: Machine, view: HealthView): Health {
  const trouble = (machine.status?.conditions ?? []).find((condition) => condition.status === 'False');
  if (trouble) return degraded(`${trouble.type}: ${explained(trouble)}`);
  const node = view.get(objectKey('Node', undefined, machine.metadata.name));
  return node ? nodeHealth(node) : progressing('its Node has not been made yet');
}

/** Health of Gateways, routes and Ingresses, by what their controller says of them. */
import {
  findCondition,
  GATEWAY_CONTROLLER,
  type BackendTLSPolicy,
  type Condition,
  type Gateway,
  type GatewayClass,
  type Ingress,
  type StoredRoute,
} from '../../../contracts/objects/index.ts';
import { degraded, healthy, progressing, worst, type Health } from './health.ts';

export function gatewayClassHealth({ spec, status }: GatewayClass): Health {
  if (spec.controllerName !== GATEWAY_CONTROLLER) return healthy(`is of ${spec.controllerName}`);
  return conditionHealth(findCondition(status?.conditions, 'Accepted'));
}

export function gatewayHealth({ status }: Gateway): Health {
  const listeners = (status?.listeners ?? []).flatMap(({ name, conditions }) =>
    ['Accepted', 'ResolvedRefs', 'Programmed'].flatMap((type): Health[] => {
      const condition = findCondition(conditions, type);
      if (condition?.status !== 'False') return [];
      return [{ ...conditionHealth(condition), message: `listener ${name}: ${condition.message ?? type}` }];
    }),
  );
  return (
    worst([
      conditionHealth(findCondition(status?.conditions, 'Accepted')),
      conditionHealth(findCondition(status?.conditions, 'Programmed')),
      ...listeners,
    ]) ?? progressing('waits for its controller')
  );
}

type Route = Pick<StoredRoute, 'spec' | 'status'>;

export function routeHealth({ spec, status }: Route): Health {
  if (spec.parentRefs.length === 0) return healthy('names no Gateway');
  const parents = status?.parents ?? [];
  if (parents.length === 0) return progressing('no Gateway has taken it');
  const all = parents.flatMap(({ conditions }) =>
    ['Accepted', 'ResolvedRefs'].map((type) => conditionHealth(findCondition(conditions, type))),
  );
  return worst(all) ?? healthy('accepted');
}

/** Where no Gateway has a route to what it is for, nothing hangs on it. */
export function policyHealth({ status }: BackendTLSPolicy): Health {
  const all = (status?.ancestors ?? []).flatMap(({ conditions }) =>
    ['Accepted', 'ResolvedRefs'].map((type) => conditionHealth(findCondition(conditions, type))),
  );
  return worst(all) ?? healthy('is at no Gateway');
}

export function ingressHealth({ status }: Ingress): Health {
  return conditionHealth(findCondition(status?.conditions, 'Accepted'));
}

function conditionHealth(condition: Condition | undefined): Health {
  if (condition === undefined || condition.status === 'Unknown')
    return progressing(condition?.message ?? 'waits for its controller');
  if (condition.status === 'True') return healthy(condition.message ?? condition.type);
  const message = condition.message ?? condition.reason ?? condition.type;
  return condition.reason === 'Pending' ? progressing(message) : degraded(message);
}

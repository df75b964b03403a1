/** ServiceAccounts: every namespace has `default`. Source: Kubernetes, pkg/controller/serviceaccount. */
import {
  DEFAULT_SERVICE_ACCOUNT,
  objectKey,
  parseKey,
  type ObjectKey,
  type ServiceAccount,
} from '../../contracts/objects/index.ts';
import { isTerminating } from '../core/admission/namespace-lifecycle.ts';
import type { Decision } from '../core/step.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { name: namespace } = parseKey(key);
  const home = view.get(objectKey('Namespace', undefined, namespace));
  const isThere = view.get(objectKey('ServiceAccount', namespace, DEFAULT_SERVICE_ACCOUNT)) !== undefined;
  if (!home || isTerminating(home) || isThere) return { steps: [] };
  const object: ServiceAccount = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: DEFAULT_SERVICE_ACCOUNT, namespace },
  };
  return { steps: [{ do: 'create', object }] };
}

export const serviceAccountController: Controller = {
  name: 'serviceaccount-controller',
  kind: 'Namespace',
  watches: {
    ServiceAccount: ({ metadata: { name, namespace } }, _view, event) =>
      event === 'delete' && name === DEFAULT_SERVICE_ACCOUNT && namespace !== undefined
        ? [objectKey('Namespace', undefined, namespace)]
        : [],
  },
  decide,
};

/** RuntimeClass. Source: Kubernetes, ValidateRuntimeClass. */
import type { RuntimeClass } from '../../../../contracts/objects/index.ts';
import { checkTolerations } from './check-pod.ts';
import { checkResources } from './check-resources.ts';
import type { CheckContext } from './context.ts';

export function checkRuntimeClass({ overhead, scheduling }: RuntimeClass, context: CheckContext): void {
  checkResources({ limits: overhead?.podFixed }, ['overhead'], { limits: 'podFixed' }, context);
  checkTolerations(scheduling?.tolerations, ['scheduling', 'tolerations'], context);
}

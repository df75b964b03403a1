/** What a Machine may say of its resources. */
import type { Machine } from '../../../../contracts/objects/index.ts';
import { checkResources } from './check-resources.ts';
import type { CheckContext } from './context.ts';

/** What nodes have and containers cannot ask for. */
const NODE_RESOURCES = ['pods'];

export function checkMachine({ spec }: Machine, context: CheckContext): void {
  checkResources({ limits: spec.capacity }, ['spec'], { limits: 'capacity', others: NODE_RESOURCES }, context);
  checkResources({ limits: spec.reserved }, ['spec'], { limits: 'reserved', others: NODE_RESOURCES }, context);
}

/** Nodes by their labels. Free of schemas: a node agent uses it. */
import { selectorMatches, type Selector } from './label-match.ts';
import type { Node } from './nodes.ts';
import { HOSTNAME_LABEL, OS_LABEL } from './well-known.ts';

/** Whether one of the selectors matches; without any, all nodes do. Labels that all nodes have need not be written down. */
export function nodeMatches({ metadata }: Pick<Node, 'metadata'>, selectors: readonly Selector[] = []): boolean {
  const labels = { [HOSTNAME_LABEL]: metadata.name, [OS_LABEL]: 'linux', ...metadata.labels };
  return selectors.length === 0 || selectors.some((selector) => selectorMatches(selector, labels));
}

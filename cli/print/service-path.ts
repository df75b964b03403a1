/** The way of a packet to a Service, link by link. */
import type { ExplainedService } from '../../reconciler/api/types.ts';

/** In the order of the way: where clients aim, each node's rules, the endpoints, and who may connect to them. */
export function serviceLinks(service: ExplainedService): readonly (readonly [string, string])[] {
  const { addresses, balancers, nodes, moreNodes, endpoints, more, policies } = service;
  return [
    ...addresses.map((text) => ['address', text] as const),
    ...balancers.map(
      ({ address, heldBy }) =>
        ['balancer', `${address} is held by ${heldBy.join(', ') || 'no node that was asked'}`] as const,
    ),
    ...nodes.map(({ node, inForce, says }) => ['rules', `${node} ${inForce ? '' : 'NOT in force: '}${says}`] as const),
    ...(moreNodes > 0 ? [['rules', `${moreNodes} more nodes were not asked`] as const] : []),
    ...endpoints.map(({ name, node, at, is, why }) => {
      const place = `${name}${node === undefined ? '' : ` on ${node}`}${at.length === 0 ? '' : ` (${at.join(', ')})`}`;
      return ['endpoint', `${is}: ${place}: ${why}`] as const;
    }),
    ...(more > 0 ? [['endpoint', `and ${more} more`] as const] : []),
    ...policies.map(({ name, pods, of, lets }) => {
      const who = lets.length === 0 ? 'nobody' : lets.join('; ');
      return ['policy', `${name} closes ${pods} of ${of} pods but for ${who}`] as const;
    }),
  ];
}

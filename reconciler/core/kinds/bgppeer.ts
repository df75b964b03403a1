/** BGPPeer: a router that nodes tell of addresses of load balancers. */
import { KINDS, nodeMatches, type BGPPeer } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import { WHOLE, type KindDescriptor, type Reference } from './descriptor.ts';

export const BGP_PEER: KindDescriptor<'BGPPeer'> = {
  identity: KINDS.BGPPeer,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'ADDRESS', cell: ({ spec }) => spec.peerAddress },
    { heading: 'ASN', cell: ({ spec }) => String(spec.peerASN ?? spec.dynamicASN ?? NONE) },
    { heading: 'MULTI HOPS', cell: ({ spec }) => String(spec.ebgpMultiHop) },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: { of: passwordOf },
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: {
    how: 'shared',
    brings: (peer, node) => (nodeMatches(node, peer.spec.nodeSelectors) ? passwordOf(peer) : []),
    ...WHOLE,
  },
  recovery: { from: 'git', order: 28 },
  subresources: [],
};

/** The password goes to the nodes that speak to the router, and to no other. */
function passwordOf({ spec }: BGPPeer): readonly Reference[] {
  const name = spec.passwordSecret?.name;
  return name === undefined
    ? []
    : [{ kind: 'Secret', name, keys: ['password'], optional: false, path: ['spec', 'passwordSecret', 'name'] }];
}

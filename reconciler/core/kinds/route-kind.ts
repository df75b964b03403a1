/** What the kinds of routes have alike: all but what they are called, and whether they have host names. */
import type { GRPCRoute, HTTPRoute, TLSRoute } from '../../../contracts/objects/index.ts';
import { routeHealth } from '../health/gateway.ts';

export const ROUTE = {
  wave: 4,
  categories: [],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: { judge: routeHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
} as const;

export const HOSTNAMES = {
  heading: 'HOSTNAMES',
  cell: ({ spec }: Pick<HTTPRoute | GRPCRoute | TLSRoute, 'spec'>): string => JSON.stringify(spec.hostnames),
};

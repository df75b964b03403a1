/** Ingress: which requests from outside go to which Services. */
import { INGRESS_CLASS_ANNOTATION, KINDS } from '../../../contracts/objects/index.ts';
import { writtenClass } from '../gateway/ingress-class.ts';
import { ingressHealth } from '../health/gateway.ts';
import { checkIngress } from '../manifests/checks/check-ingress.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const INGRESS: KindDescriptor<'Ingress'> = {
  identity: KINDS.Ingress,
  wave: 4,
  categories: [],
  columns: [
    NAME,
    { heading: 'CLASS', cell: (ingress) => writtenClass(ingress) ?? NONE },
    { heading: 'HOSTS', cell: ({ spec }) => spec.rules.flatMap(({ host }) => host ?? []).join(',') || '*' },
    { heading: 'ADDRESS', cell: ({ status }) => (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join(',') },
    { heading: 'PORTS', cell: ({ spec }) => (spec.tls.length > 0 ? '80, 443' : '80') },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkIngress },
  compared: [
    ['spec', 'ingressClassName'],
    ['metadata', 'annotations', INGRESS_CLASS_ANNOTATION],
  ],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: { judge: ingressHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};

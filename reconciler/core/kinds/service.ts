/** Service: an address for the pods of a selector. */
import {
  KINDS,
  loadBalancerAddresses,
  type KubeObject,
  type Service,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { HEADLESS, neverChanges } from '../diff/fixed-fields.ts';
import { serviceHealth } from '../health/service.ts';
import { checkService } from '../manifests/checks/check-service.ts';
import { AGE, labelsText, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const SERVICE: KindDescriptor<'Service'> = {
  identity: KINDS.Service,
  wave: 2,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'TYPE', cell: (s) => s.spec.type },
    {
      heading: 'CLUSTER-IP',
      cell: (s) => s.spec.clusterIP ?? (s.spec.type === 'ExternalName' ? '<none>' : '<pending>'),
    },
    { heading: 'EXTERNAL-IP', cell: externalAddresses },
    {
      heading: 'PORT(S)',
      cell: (s) =>
        s.spec.ports.map((p) => `${p.port}${p.nodePort === undefined ? '' : `:${p.nodePort}`}/${p.protocol}`).join(','),
    },
    AGE,
    { heading: 'SELECTOR', wide: true, cell: (s) => labelsText(s.spec.selector) },
  ],
  listed: 'by key',
  check: { object: checkService },
  compared: {
    paths: ({ spec }) => [
      ['spec', 'externalIPs'],
      ['spec', 'clusterIPs'],
      ['spec', 'ipFamilies'],
      ['spec', 'ipFamilyPolicy'],
      ...spec.ports.flatMap((_, i) => [
        ['spec', 'ports', i, 'nodePort'],
        ['spec', 'ports', i, 'targetPort'],
      ]),
    ],
  },
  podTemplate: 'none',
  references: 'none',
  owns: ['EndpointSlice'],
  summary: 'none',
  selector: { of: ({ spec }) => spec.selector && { matchLabels: spec.selector } },
  scale: 'none',
  placement: 'setting',
  health: { judge: serviceHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [neverChanges('spec', 'clusterIP'), HEADLESS],
  sealed: [],
  reach: { how: 'shared', form: withoutConditions },
  recovery: { from: 'nodes', order: 20 },
  subresources: [],
};

/** Source: Kubernetes pkg/printers/internalversion, getServiceExternalIP. */
function externalAddresses(service: Service): string {
  const { type, externalName, externalIPs = [] } = service.spec;
  if (type === 'ExternalName') return externalName ?? '<none>';
  const all = [...loadBalancerAddresses(service), ...externalIPs];
  return all.length > 0 ? all.join(',') : type === 'LoadBalancer' ? '<pending>' : '<none>';
}

/** Nodes have to know the addresses of its load balancer. */
function withoutConditions(service: StoredOf<'Service'>): KubeObject {
  const { status, ...rest } = service;
  return status?.loadBalancer ? { ...rest, status: { loadBalancer: status.loadBalancer } } : rest;
}

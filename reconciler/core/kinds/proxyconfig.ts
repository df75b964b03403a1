/** ProxyConfig: what the proxy of one gateway node has to do. */
import { KINDS, type ProxyConfig } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import { WHOLE, type KindDescriptor, type Reference } from './descriptor.ts';

export const PROXY_CONFIG: KindDescriptor<'ProxyConfig'> = {
  identity: KINDS.ProxyConfig,
  wave: 4,
  categories: [],
  columns: [
    NAME,
    { heading: 'PORTS', cell: ({ spec }) => spec.ports.map((p) => `${p.port}/${p.protocol}`).join(',') || NONE },
    { heading: 'BACKENDS', cell: ({ spec }) => String(spec.backends.length) },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: { of: secretsOf },
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: { how: 'followed', home: ({ metadata }) => metadata.name, ...WHOLE },
  recovery: { from: 'computed', order: 70 },
  subresources: [],
};

/** Certificates, and passwords of clients: a node gets those Secrets that its own proxy serves, and no other. */
function secretsOf({ spec }: ProxyConfig): readonly Reference[] {
  return spec.ports.flatMap(({ hosts }, p) =>
    hosts.flatMap(({ certificates = [], rules = [] }, h) => {
      const host = ['spec', 'ports', p, 'hosts', h];
      return [
        ...certificates.map((secret, c): Reference => ({
          ...named(secret),
          keys: ['tls.crt', 'tls.key'],
          path: [...host, 'certificates', c],
        })),
        ...rules.flatMap(({ basicAuth }, r): readonly Reference[] =>
          basicAuth
            ? [{ ...named(basicAuth.secret), keys: ['auth'], path: [...host, 'rules', r, 'basicAuth', 'secret'] }]
            : [],
        ),
      ];
    }),
  );
}

function named({ namespace, name }: { readonly namespace: string; readonly name: string }) {
  return { kind: 'Secret' as const, namespace, name, optional: false };
}

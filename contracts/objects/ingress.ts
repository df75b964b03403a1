/**
 * Ingress and IngressClass, networking.k8s.io/v1. Source: Kubernetes API reference, and pkg/apis/networking/validation
 * (validation.go).
 */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { controllerOfClass, DnsLabel, DnsSubdomain, NEVER, object, Port, unset } from './schema.ts';

/** `spec.controller` of classes that are served here. */
export const INGRESS_CONTROLLER = 'plumbline.dev/ingress';
/** On an IngressClass: Ingresses that name no class are of it. */
export const DEFAULT_INGRESS_CLASS = 'ingressclass.kubernetes.io/is-default-class';
/** On an Ingress, from before there was a field for it. */
export const INGRESS_CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

const WildcardHost = z
  .string()
  .max(253, 'must be no more than 253 characters')
  .regex(
    /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be a DNS name in lower case, which may begin with `*.`',
  )
  .refine((name) => !z.ipv4().safeParse(name).success, 'must be a DNS name, not an IP address');

const Backend = object(
  {
    service: object({
      name: DnsLabel,
      port: object({ name: unset('', DnsLabel.optional()), number: unset(0, Port.optional()) }).refine(
        ({ name, number }) => (name === undefined) !== (number === undefined),
        'must have a name or a number, and not both',
      ),
    }),
  },
  { resource: NEVER },
);
export type IngressBackend = z.infer<typeof Backend>;

const FORBIDDEN_IN_PATH = ['//', '/./', '/../', '%2f', '%2F'];
const FORBIDDEN_ENDS = ['/..', '/.'];
const MOST_PATHS = 1000;

const Path = object({
  path: z.string().max(1024, 'must be no more than 1024 characters').default(''),
  pathType: z.enum(['Exact', 'Prefix', 'ImplementationSpecific']),
  backend: Backend,
}).superRefine(({ path, pathType }, context) => {
  const tell = (message: string): void => {
    context.addIssue({ code: 'custom', path: ['path'], message });
  };
  if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) tell("must begin with '/'");
    if (!/^[!-~]*$/.test(path)) tell('must consist of printable ASCII characters without blanks');
    return;
  }
  if (!path.startsWith('/')) tell("must begin with '/'");
  const within = FORBIDDEN_IN_PATH.find((part) => path.includes(part));
  if (within !== undefined) tell(`must not contain '${within}'`);
  const end = FORBIDDEN_ENDS.find((part) => path.endsWith(part));
  if (end !== undefined) tell(`must not end with '${end}'`);
});
export type IngressPath = z.infer<typeof Path>;

const IngressSpec = object({
  ingressClassName: unset('', DnsSubdomain.optional()),
  defaultBackend: Backend.optional(),
  tls: z
    .array(
      object({ hosts: z.array(WildcardHost).max(1000).default([]), secretName: unset('', DnsSubdomain.optional()) }),
    )
    .max(1000, 'must have at most 1000 entries')
    .default([]),
  rules: z
    .array(
      object({
        host: unset('', WildcardHost.optional()),
        http: object({
          paths: z
            .array(Path)
            .min(1, 'must have at least one entry')
            .max(MOST_PATHS, `must have at most ${MOST_PATHS} entries`),
        }).optional(),
      }),
    )
    .max(1000, 'must have at most 1000 entries')
    .default([]),
}).refine(({ rules, defaultBackend }) => rules.length > 0 || defaultBackend !== undefined, {
  message: 'must have rules, a defaultBackend, or both',
});
export type IngressSpec = z.infer<typeof IngressSpec>;

export const IngressManifest = object({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('Ingress'),
  metadata: ManifestMeta,
  spec: IngressSpec,
});
export interface IngressStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
  /** Ours: `Accepted` tells what of it is not served. */
  readonly conditions?: readonly Condition[];
}
export interface Ingress {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'Ingress';
  readonly metadata: ObjectMeta;
  readonly spec: IngressSpec;
  readonly status?: IngressStatus;
}
export type StoredIngress = Ingress & { readonly metadata: StoredMeta };

const IngressClassSpec = object({
  controller: controllerOfClass(250, 'ingress'),
  /** Nobody here reads it. */
  parameters: object({
    apiGroup: z.string().optional(),
    kind: z.string(),
    name: z.string(),
    scope: z.enum(['Cluster', 'Namespace']).default('Cluster'),
    namespace: DnsLabel.optional(),
  }).optional(),
});
export const IngressClassManifest = object({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('IngressClass'),
  metadata: ManifestMeta,
  spec: IngressClassSpec,
});
export interface IngressClass {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'IngressClass';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof IngressClassSpec>;
}
export type StoredIngressClass = IngressClass & { readonly metadata: StoredMeta };

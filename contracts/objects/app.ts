/** App: a folder of the repository, or a chart from elsewhere, that an engine makes manifests of. Group plumbline.dev. */
import { z } from 'zod';
import { OWN_API_VERSION } from './identity.ts';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import {
  Annotations,
  atomic,
  atomicList,
  DnsLabel,
  DnsSubdomain,
  LabelValue,
  listMap,
  object,
  oneOf,
  QualifiedName,
} from './schema.ts';

/** Longer lists than anybody writes by hand. */
const MOST = 256;
const MAX_PATH = 1024;
/** Of one patch, in characters. */
const MAX_PATCH = 65_536;

const Words = z.string().min(1, 'must not be empty').max(MAX_PATH, `must be no more than ${MAX_PATH} characters`);

/** A file or folder of the repository, from its root: `apps/web`. */
export const RepositoryPath = Words.regex(
  // Each part is no `.`, no `..` and not empty; none has a backslash or a control character.
  /^(?!\.{1,2}(\/|$))[^/\\\u0000-\u001f\u007f]+(\/(?!\.{1,2}(\/|$))[^/\\\u0000-\u001f\u007f]+)*$/,
  "must be a path from the repository's root, without '.', '..' and empty parts",
);
/** A folder from that of the App: `../../components/x`. That it stays in the repository is checked with the App's path. */
const RelativePath = Words.regex(
  /^[^/\\\u0000-\u001f\u007f][^\\\u0000-\u001f\u007f]*$/,
  "must be a path from the App's folder",
);

const list = <E extends z.ZodType>(entry: E): z.ZodArray<E> => z.array(entry).max(MOST, `must be no more than ${MOST}`);

/** Which objects a patch changes, as in Kustomize: texts are regular expressions that match the whole. */
const PatchTarget = object({
  group: z.string().optional(),
  version: z.string().optional(),
  kind: z.string().optional(),
  name: z.string().optional(),
  namespace: z.string().optional(),
  labelSelector: z.string().optional(),
  annotationSelector: z.string().optional(),
});

/** What is laid over the folder's kustomization; each field as in a kustomization file. */
const KustomizeParameters = object({
  components: list(RelativePath).optional(),
  /** A strategic merge patch, or the operations of a JSON patch (RFC 6902). */
  patches: list(
    object({
      target: PatchTarget.optional(),
      patch: Words.max(MAX_PATCH, `must be no more than ${MAX_PATCH} characters`),
    }),
  ).optional(),
  images: listMap(
    ['name'],
    object({
      name: Words,
      newName: Words.optional(),
      newTag: Words.optional(),
      digest: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits')
        .optional(),
    }),
  )
    .max(MOST, `must be no more than ${MOST}`)
    .optional(),
  namePrefix: z.string().max(63, 'must be no more than 63 characters').optional(),
  nameSuffix: z.string().max(63, 'must be no more than 63 characters').optional(),
  commonMetadata: object({
    labels: z.record(QualifiedName, LabelValue).optional(),
    annotations: Annotations.optional(),
  }).optional(),
});

/** A chart that is not in the repository. */
const ChartSource = object({
  repository: Words.regex(
    /^(https?|oci):\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/,
    'must be a URL that starts with https://, http:// or oci://, without a user, a query and a fragment',
  ),
  name: Words.regex(/^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$/, "must consist of letters, digits, '-', '_' and '.'"),
  /** One version: a range would give one commit several meanings. Source of the form: semver.org, 2.0.0. */
  version: Words.regex(
    /^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/,
    'must be one version such as 1.2.3, not a range',
  ),
  /** Of the chart's archive in an HTTP repository, of the manifest in a registry. */
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits')
    .optional(),
  /** A Secret of the App's namespace in the same commit, in Flux' keys: `username` and `password`; `ca.crt`. */
  secretRef: object({ name: DnsSubdomain }).optional(),
});
export type ChartSource = z.infer<typeof ChartSource>;

const ValueObject = { kind: z.enum(['ConfigMap', 'Secret']), name: DnsSubdomain, optional: z.boolean().default(false) };

const HelmParameters = object({
  /** When absent: the chart in the App's folder. */
  chart: ChartSource.optional(),
  /** The App's name when absent. Source of the form: Helm, pkg/chart/common/util ValidateReleaseName. */
  releaseName: z
    .string()
    .max(53, 'must be no more than 53 characters')
    .regex(
      /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
      "must consist of lower case letters, digits, '-' and '.', and start and end with a letter or digit",
    )
    .optional(),
  /** Later ones win; from the repository's root. */
  valuesFiles: list(RepositoryPath).optional(),
  /** Values of ConfigMaps and Secrets that the same commit has as plain YAML; they win over files. */
  valuesFrom: atomicList(
    ['kind', 'name', 'valuesKey'],
    object({
      ...ValueObject,
      valuesKey: Words.default('values.yaml'),
      /** Where one value goes that is no map: `image.tag`. */
      targetPath: Words.optional(),
    }),
  )
    .max(MOST, `must be no more than ${MOST}`)
    .optional(),
  /** They win over all others. */
  values: atomic(z.record(z.string(), z.unknown())).optional(),
  includeCRDs: z.boolean().default(true),
});

/** Flux' post-build substitution. Source: Flux, Kustomization API v1, "Post build variable substitution". */
const Substitution = object({
  /** They win over those of `from`. */
  values: atomic(
    z.record(z.string().regex(/^[_A-Za-z]\w*$/, "must consist of letters, digits and '_'"), z.string()),
  ).optional(),
  /** Every key is a variable; later ones win. */
  from: atomicList(['kind', 'name'], object(ValueObject)).max(MOST, `must be no more than ${MOST}`).optional(),
  /** Whether a variable without a value and without a default is an error, or the empty text. */
  strict: z.boolean().default(true),
});

/** Text that a ref may be: no option of a program, no glob, nothing that Git refuses. Source: git-check-ref-format(1). */
const RefName = Words.max(255, 'must be no more than 255 characters').regex(
  /^(?![-/.])(?!.*(\.\.|@\{|\/\/|\/\.|\.lock(\/|$)|[/.]$))[^\u0000-\u0020\u007f~^:?*[\\]+$/,
  'must be the name of a branch or tag',
);

/** Another repository that the App's folder is in. One of `branch`, `tag`, `semver` and `commit`; branch `main` when absent. */
const AppSource = oneOf(
  ['branch', 'tag', 'semver', 'commit'],
  object({
    url: Words.regex(
      /^(https?:\/\/[^\s/?#@]+(\/[^\s?#@]*)?|ssh:\/\/([A-Za-z0-9_][-A-Za-z0-9_.]*@)?[A-Za-z0-9[][^\s/?#@]*\/[^\s?#]+)$/,
      'must be a URL that starts with https://, http:// or ssh://, without a password, a query and a fragment',
    ),
    branch: RefName.optional(),
    tag: RefName.optional(),
    /** A range of versions: the highest one among the tags. */
    semver: Words.max(256, 'must be no more than 256 characters').optional(),
    /** This one and no other: what a branch, a tag or a pull request is at, or what is on the remote's own branch. */
    commit: z
      .string()
      .regex(/^[0-9a-f]{40}$/, 'must be the 40 hex digits of a commit')
      .optional(),
    /**
     * A Secret of the App's namespace in the same commit, in Flux' keys: `username` and `password`, or `bearerToken`;
     * `ca.crt`; for SSH `identity` and `known_hosts`.
     */
    secretRef: object({ name: DnsSubdomain }).optional(),
  }),
);
export type AppSource = z.infer<typeof AppSource>;

const AppSpec = oneOf(
  ['kustomize', 'helm'],
  object({
    /** Folder in the repository. Its files are read by the App alone. */
    path: RepositoryPath.optional(),
    /** The repository, where it is not the one that the App is written in. */
    source: AppSource.optional(),
    /** Where namespaced objects go that name no namespace. */
    namespace: DnsLabel.optional(),
    kustomize: KustomizeParameters.optional(),
    helm: HelmParameters.optional(),
    substitute: Substitution.optional(),
    /** Apps that are applied and healthy before this one is applied. */
    dependsOn: listMap(['name'], object({ name: DnsSubdomain }))
      .max(MOST, `must be no more than ${MOST}`)
      .optional(),
    /** Whether objects go that the App's rendering no longer has. */
    prune: z.boolean().default(true),
  }),
);
export type AppSpec = z.infer<typeof AppSpec>;

export const AppManifest = object({
  apiVersion: z.literal(OWN_API_VERSION),
  kind: z.literal('App'),
  metadata: ManifestMeta,
  spec: AppSpec,
});
export interface App {
  readonly apiVersion: typeof OWN_API_VERSION;
  readonly kind: 'App';
  readonly metadata: ObjectMeta;
  readonly spec: AppSpec;
  readonly status?: { readonly conditions?: readonly Condition[] };
}
export type StoredApp = App & { readonly metadata: StoredMeta };

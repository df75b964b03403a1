/** AppSet: Apps that a commit's lists, folders, files and Machines, and open pull requests, are generated into. Group plumbline.dev. */
import { z } from 'zod';
import { RepositoryPath } from './app.ts';
import { OWN_API_VERSION } from './identity.ts';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { atomic, DnsLabel, DnsSubdomain, object, oneOf } from './schema.ts';
import { LabelSelector } from './selectors.ts';

/** Elements of all sets of a commit; so many Apps nobody writes by hand, and a pattern that gives more is a mistake. */
export const MAX_SET_ELEMENTS = 2000;
const MAX_GENERATORS = 32;
const MAX_PATTERNS = 64;
const MAX_PATTERN = 500;

/** `*` and `?` within a name, `**` as a name for any number of folders. */
const PathPattern = RepositoryPath.max(MAX_PATTERN, `must be no more than ${MAX_PATTERN} characters`)
  .regex(/^[^[\]{}]*$/, 'may have *, ? and **, and no brackets or braces')
  .refine(
    (pattern) => pattern.split('/').every((part) => part === '**' || !part.includes('**')),
    'may have ** only as a whole name: sites/**/site.yaml',
  );

const Patterns = z.array(PathPattern).min(1, 'must name one').max(MAX_PATTERNS, `must be no more than ${MAX_PATTERNS}`);
const Paths = object({
  include: Patterns,
  /** What they match is left out. */
  exclude: Patterns.optional(),
});
export type AppSetPaths = z.infer<typeof Paths>;

/** Whose answers are understood; Forgejo's are Gitea's. */
export const FORGES = ['github', 'gitlab', 'gitea'] as const;
const MAX_FILTERS = 64;
const MAX_LABEL = 255;

const forgeOf = (repository: RegExp, form: string) =>
  object({
    /** Of the forge itself, as people open it. That of the public one when absent. */
    url: z
      .string()
      .max(1024, 'must be no more than 1024 characters')
      .regex(
        /^https:\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/,
        'must be a URL that starts with https://, without a user, a query and a fragment',
      )
      .optional(),
    repository: z.string().max(255, 'must be no more than 255 characters').regex(repository, form),
    /** A Secret in the same commit, in Flux' keys: `bearerToken`, or `password`; `ca.crt`. */
    secretRef: object({ name: DnsSubdomain, namespace: DnsLabel.optional() }).optional(),
  });
const OWNED = forgeOf(/^(?!\.)[\w.-]+\/(?!\.)[\w.-]+$/, 'must be OWNER/NAME');
const GROUPED = forgeOf(/^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)+$/, 'must be GROUP/NAME');
export type Forge = z.infer<typeof OWNED>;

const PullRequests = oneOf(
  [...FORGES],
  object({
    github: OWNED.optional(),
    gitlab: GROUPED.optional(),
    gitea: OWNED.optional(),
    /** All of them it has. */
    labels: z
      .array(z.string().min(1, 'must not be empty').max(MAX_LABEL, `must be no more than ${MAX_LABEL} characters`))
      .max(MAX_FILTERS, `must be no more than ${MAX_FILTERS}`)
      .optional(),
    /** Patterns of the branch that it is to be merged into. */
    branches: Patterns.optional(),
  }),
);
export type AppSetPullRequests = z.infer<typeof PullRequests>;

const Generator = oneOf(
  ['list', 'directories', 'files', 'machines', 'pullRequests'],
  object({
    list: z
      .array(z.record(z.string(), z.unknown()))
      .max(MAX_SET_ELEMENTS, `must be no more than ${MAX_SET_ELEMENTS}`)
      .optional(),
    /** Folders of the commit: `path`, and `name`, the last part of it. */
    directories: Paths.optional(),
    /** YAML and JSON files of the commit: what they hold, `path` of the folder, and `file`. */
    files: Paths.optional(),
    /** Machines of the commit: `name`, `address`, `labels`. */
    machines: object({ selector: LabelSelector.optional() }).optional(),
    /** Pull requests that are open: `name`, `number`, `branch`, `headSha` and more. */
    pullRequests: PullRequests.optional(),
    /** Refused by name: see check-app-set.ts. */
    matrix: z.unknown().optional(),
    merge: z.unknown().optional(),
  }),
);
export type AppSetGenerator = z.infer<typeof Generator>;

const AppSetSpec = object({
  generators: atomic(
    z.array(Generator).min(1, 'must have one').max(MAX_GENERATORS, `must be no more than ${MAX_GENERATORS}`),
  ),
  /** An App whose texts have variables. Each App that is made of it is held against the schema of an App. */
  template: atomic(
    object({
      metadata: object({
        name: z.string(),
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
      spec: z.record(z.string(), z.unknown()),
    }),
  ),
});
export type AppSetSpec = z.infer<typeof AppSetSpec>;

export const AppSetManifest = object({
  apiVersion: z.literal(OWN_API_VERSION),
  kind: z.literal('AppSet'),
  metadata: ManifestMeta,
  spec: AppSetSpec,
});
export interface AppSet {
  readonly apiVersion: typeof OWN_API_VERSION;
  readonly kind: 'AppSet';
  readonly metadata: ObjectMeta;
  readonly spec: AppSetSpec;
}
export type StoredAppSet = AppSet & { readonly metadata: StoredMeta };

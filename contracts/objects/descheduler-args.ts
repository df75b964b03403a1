/**
 * Plugins of a DeschedulerPolicy and their arguments, as `pluginConfig` of a profile has them.
 * Source: kubernetes-sigs/descheduler, README and pkg/framework/plugins (v1alpha2).
 */
import { z } from 'zod';
import { readKey } from './own-key.ts';
import type { DeschedulerPolicy, DeschedulerProfile } from './scheduling.ts';
import { NEVER, object } from './schema.ts';
import { LabelSelector } from './selectors.ts';

/** Annotation of a pod that may be evicted whatever the evictor's other rules say. */
export const EVICT_ANNOTATION = 'descheduler.alpha.kubernetes.io/evict';
/** Annotation of a pod that asks to be left alone; honoured with `noEvictionPolicy: Mandatory`. */
export const PREFER_NO_EVICTION_ANNOTATION = 'descheduler.alpha.kubernetes.io/prefer-no-eviction';

const typeMeta = { apiVersion: z.string().optional(), kind: z.string().optional() };

const Namespaces = object({ include: z.array(z.string()).optional(), exclude: z.array(z.string()).optional() }).refine(
  (n) => n.include === undefined || n.exclude === undefined,
  'must not have both include and exclude',
);
export type Namespaces = z.infer<typeof Namespaces>;

/** Which pods a plugin may evict. */
const filtering = { namespaces: Namespaces.optional(), labelSelector: LabelSelector.optional() };

/** Such as `1h30m`. Becomes seconds. */
const Duration = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, 'must be a duration such as 90s, 30m or 1h30m')
  .transform((text) =>
    [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
      (sum, [, amount, unit]) => sum + Number(amount) * (readKey(UNIT_SECONDS, unit ?? '') ?? 0),
      0,
    ),
  );
const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

const PodProtections = object(
  {
    defaultDisabled: z
      .array(z.enum(['PodsWithLocalStorage', 'DaemonSetPods', 'SystemCriticalPods', 'FailedBarePods']))
      .optional(),
    extraEnabled: z.array(z.enum(['PodsWithoutPDB', 'PodsWithPVC', 'PodsWithResourceClaims'])).optional(),
  },
  { config: NEVER },
);

/** Which pods may be evicted at all. Every profile has this plugin. */
export const DefaultEvictorArgs = object(
  {
    ...typeMeta,
    labelSelector: LabelSelector.optional(),
    /** Pods of this priority or more stay. */
    priorityThreshold: object({ name: z.string().optional(), value: z.int().optional() })
      .refine((t) => (t.name === undefined) !== (t.value === undefined), 'must have exactly one of name, value')
      .optional(),
    /** A move is always tried on the scheduler first, whatever this says. */
    nodeFit: z.boolean().optional(),
    /** Pods of owners that have fewer pods stay. */
    minReplicas: z.int().min(0).optional(),
    /** In Go's form; pods that have not run for so long stay. */
    minPodAge: Duration.optional(),
    noEvictionPolicy: z.enum(['Preferred', 'Mandatory']).optional(),
    podProtections: PodProtections.optional(),
    // Older names of what podProtections says.
    evictLocalStoragePods: z.boolean().optional(),
    evictDaemonSetPods: z.boolean().optional(),
    evictSystemCriticalPods: z.boolean().optional(),
    evictFailedBarePods: z.boolean().optional(),
    ignorePvcPods: z.boolean().optional(),
    ignorePodsWithoutPDB: z.boolean().optional(),
  },
  { nodeSelector: NEVER, namespaceLabelSelector: NEVER },
);
export type DefaultEvictorArgs = z.infer<typeof DefaultEvictorArgs>;

export const RemoveDuplicatesArgs = object({
  ...typeMeta,
  excludeOwnerKinds: z.array(z.string()).optional(),
  namespaces: Namespaces.optional(),
});
export type RemoveDuplicatesArgs = z.infer<typeof RemoveDuplicatesArgs>;

/** Percentages by resource name. */
const Thresholds = z
  .record(z.string().min(1), z.number().min(0, 'must be between 0 and 100').max(100, 'must be between 0 and 100'))
  .refine((t) => Object.keys(t).length > 0, 'must name at least one resource');
const LOW: Readonly<Record<string, number>> = { cpu: 20, memory: 20, pods: 20 };
const TARGET: Readonly<Record<string, number>> = { cpu: 50, memory: 50, pods: 50 };

export const LowNodeUtilizationArgs = object(
  {
    ...typeMeta,
    /** The thresholds are distances from the mean of all nodes. */
    useDeviationThresholds: z.boolean().default(false),
    /** A node below all of these takes pods. */
    thresholds: Thresholds.optional(),
    /** A node above any of these gives pods away. */
    targetThresholds: Thresholds.optional(),
    /** Nothing is done while there are not more nodes than this that could take pods. */
    numberOfNodes: z.int().min(0, 'must be 0 or more').default(0),
    evictableNamespaces: object({ exclude: z.array(z.string()).optional() }, { include: [[]] }).optional(),
  },
  { metricsUtilization: NEVER, evictionLimits: NEVER, evictionModes: NEVER },
)
  .superRefine(({ thresholds, targetThresholds, useDeviationThresholds }, context) => {
    if (!thresholds && !targetThresholds && !useDeviationThresholds) return;
    const [low, target] = [Object.keys(thresholds ?? {}).sort(), Object.keys(targetThresholds ?? {}).sort()];
    if (low.length === 0) context.addIssue({ code: 'custom', path: ['thresholds'], message: 'is required' });
    else if (low.join() !== target.join())
      context.addIssue({
        code: 'custom',
        path: ['targetThresholds'],
        message: `must name the same resources as thresholds: ${low.join(', ')}`,
      });
    if (useDeviationThresholds) return;
    for (const [resource, percent] of Object.entries(thresholds ?? {})) {
      const most = readKey(targetThresholds, resource);
      if (most !== undefined && percent > most)
        context.addIssue({
          code: 'custom',
          path: ['thresholds', resource],
          message: `must be at most the target threshold (${most}), found ${percent}`,
        });
    }
  })
  .transform((args) => ({
    ...args,
    thresholds: args.thresholds ?? LOW,
    targetThresholds: args.targetThresholds ?? TARGET,
  }));
export type LowNodeUtilizationArgs = z.infer<typeof LowNodeUtilizationArgs>;

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
export const RemovePodsViolatingNodeAffinityArgs = object({
  ...typeMeta,
  ...filtering,
  nodeAffinityType: z
    .array(z.enum([REQUIRED, 'preferredDuringSchedulingIgnoredDuringExecution']))
    .min(1, 'must have at least one entry')
    .default([REQUIRED]),
});
export type RemovePodsViolatingNodeAffinityArgs = z.infer<typeof RemovePodsViolatingNodeAffinityArgs>;

export const RemovePodsViolatingInterPodAntiAffinityArgs = object({ ...typeMeta, ...filtering });
export type RemovePodsViolatingInterPodAntiAffinityArgs = z.infer<typeof RemovePodsViolatingInterPodAntiAffinityArgs>;

export const RemovePodsViolatingNodeTaintsArgs = object({
  ...typeMeta,
  ...filtering,
  /** `key` or `key=value` of taints that are not looked at. */
  excludedTaints: z.array(z.string()).optional(),
  /** The same of the only taints that are looked at. */
  includedTaints: z.array(z.string()).optional(),
  includePreferNoSchedule: z.boolean().default(false),
}).refine(
  (a) => a.excludedTaints === undefined || a.includedTaints === undefined,
  'must not have both excludedTaints and includedTaints',
);
export type RemovePodsViolatingNodeTaintsArgs = z.infer<typeof RemovePodsViolatingNodeTaintsArgs>;

export const RemovePodsViolatingTopologySpreadConstraintArgs = object({
  ...typeMeta,
  ...filtering,
  constraints: z
    .array(z.enum(['DoNotSchedule', 'ScheduleAnyway']))
    .min(1, 'must have at least one entry')
    .default(['DoNotSchedule']),
  /** A move is always tried on the scheduler first, whatever this says. */
  topologyBalanceNodeFit: z.boolean().optional(),
});
export type RemovePodsViolatingTopologySpreadConstraintArgs = z.infer<
  typeof RemovePodsViolatingTopologySpreadConstraintArgs
>;

const PLUGINS = {
  RemovePodsViolatingNodeTaints: { point: 'deschedule', args: RemovePodsViolatingNodeTaintsArgs },
  RemovePodsViolatingNodeAffinity: { point: 'deschedule', args: RemovePodsViolatingNodeAffinityArgs },
  RemovePodsViolatingInterPodAntiAffinity: { point: 'deschedule', args: RemovePodsViolatingInterPodAntiAffinityArgs },
  RemovePodsViolatingTopologySpreadConstraint: {
    point: 'balance',
    args: RemovePodsViolatingTopologySpreadConstraintArgs,
  },
  RemoveDuplicates: { point: 'balance', args: RemoveDuplicatesArgs },
  LowNodeUtilization: { point: 'balance', args: LowNodeUtilizationArgs },
} as const;
export type DeschedulerPluginName = keyof typeof PLUGINS;
export const DESCHEDULER_PLUGINS = Object.keys(PLUGINS) as readonly DeschedulerPluginName[];

/** A plugin with its arguments. */
export type DeschedulerPlugin = {
  readonly [N in DeschedulerPluginName]: { readonly name: N; readonly args: z.infer<(typeof PLUGINS)[N]['args']> };
}[DeschedulerPluginName];

/** A profile whose arguments were read. */
export interface DeschedulerSettings {
  readonly evictor: DefaultEvictorArgs;
  /** Enabled, in the order of {@link DESCHEDULER_PLUGINS}. */
  readonly plugins: readonly DeschedulerPlugin[];
  /** Not enabled, but with arguments. */
  readonly configured: readonly DeschedulerPlugin[];
}

/** What is wrong with a policy, and where. */
export interface DeschedulerProblem {
  /** Such as `['profiles', 0, 'pluginConfig', 1, 'args', 'thresholds']`. */
  readonly path: readonly (string | number)[];
  /** Continues the field's name: "must be ...". */
  readonly message: string;
}

/** Plugins of the descheduler that we do not have. */
const OTHERS: ReadonlySet<string> = new Set([
  'HighNodeUtilization',
  'PodLifeTime',
  'RemoveFailedPods',
  'RemovePodsHavingTooManyRestarts',
]);
const EVICTOR = 'DefaultEvictor';

/** The plugin with the arguments that it has when nothing is said. */
export function defaultPlugin(name: DeschedulerPluginName): DeschedulerPlugin {
  return { name, args: PLUGINS[name].args.parse({}) } as DeschedulerPlugin;
}

/** What is done where there is no policy: all balance plugins, with defaults. */
export const DEFAULT_SETTINGS: DeschedulerSettings = {
  evictor: {},
  configured: [],
  plugins: DESCHEDULER_PLUGINS.filter((name) => PLUGINS[name].point === 'balance').map(defaultPlugin),
};

/**
 * The profiles of a policy. A plugin with a problem is left out, and all of a profile whose evictor has one: nothing is
 * evicted by half a rule.
 */
export function readDeschedulerPolicy(policy: Pick<DeschedulerPolicy, 'profiles'>): {
  readonly profiles: readonly DeschedulerSettings[];
  readonly problems: readonly DeschedulerProblem[];
} {
  const problems: DeschedulerProblem[] = [];
  const profiles = policy.profiles.map((profile, at) =>
    readProfile(profile, ['profiles', at], (path, message) => problems.push({ path, message })),
  );
  return { profiles, problems };
}

type Tell = (path: DeschedulerProblem['path'], message: string) => void;

function readProfile(
  { pluginConfig = [], plugins }: DeschedulerProfile,
  path: DeschedulerProblem['path'],
  tell: Tell,
): DeschedulerSettings {
  const given = new Map<string, DeschedulerPlugin | undefined>();
  let evictor: DefaultEvictorArgs | undefined = {};
  for (const [at, { name, args }] of pluginConfig.entries()) {
    const here = [...path, 'pluginConfig', at];
    const schema: z.ZodType | undefined =
      name === EVICTOR ? DefaultEvictorArgs : isPlugin(name) ? PLUGINS[name].args : undefined;
    if (!schema) {
      tell([...here, 'name'], unknown(name));
      continue;
    }
    const parsed = schema.safeParse(args ?? {});
    for (const issue of parsed.error?.issues ?? [])
      tell(
        [...here, 'args', ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))],
        words(issue),
      );
    if (name === EVICTOR) evictor = parsed.data as DefaultEvictorArgs | undefined;
    else given.set(name, parsed.success ? ({ name, args: parsed.data } as DeschedulerPlugin) : undefined);
  }
  const enabled = new Set<string>();
  for (const point of ['deschedule', 'balance'] as const) {
    for (const [at, name] of (plugins?.[point]?.enabled ?? []).entries()) {
      const here = [...path, 'plugins', point, 'enabled', at];
      if (!isPlugin(name)) tell(here, unknown(name));
      else if (PLUGINS[name].point !== point)
        tell(here, `names ${name}, which is enabled in plugins.${PLUGINS[name].point}`);
      else enabled.add(name);
    }
  }
  const known = (name: DeschedulerPluginName): readonly DeschedulerPlugin[] => {
    const plugin = given.has(name) ? given.get(name) : defaultPlugin(name);
    return plugin ? [plugin] : [];
  };
  return {
    evictor: evictor ?? {},
    plugins: evictor ? DESCHEDULER_PLUGINS.filter((name) => enabled.has(name)).flatMap(known) : [],
    configured: evictor
      ? DESCHEDULER_PLUGINS.filter((name) => given.has(name) && !enabled.has(name)).flatMap(known)
      : [],
  };
}

export function isDeschedulerPlugin(name: string): name is DeschedulerPluginName {
  return Object.hasOwn(PLUGINS, name);
}
const isPlugin = isDeschedulerPlugin;

function unknown(name: string): string {
  return OTHERS.has(name)
    ? `names ${name}, a plugin of the descheduler that Plumbline does not have yet`
    : `names ${name}, which is no plugin; known: ${[...DESCHEDULER_PLUGINS, EVICTOR].join(', ')}`;
}

function words(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `has no field ${issue.keys.join(', ')}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    case 'invalid_type':
      return `must be of type ${issue.expected}`;
    default:
      return issue.message;
  }
}

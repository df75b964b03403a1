/**
 * Which plugins place a pod, in which order and with which weight: one profile for each `schedulerName`.
 * Source: Kubernetes documentation, "Scheduler Configuration".
 */
import type { z } from 'zod';
import {
  DEFAULT_SCHEDULER_NAME,
  DefaultPreemptionArgs,
  InterPodAffinityArgs,
  NoArgs,
  NodeAffinityArgs,
  NodeResourcesBalancedAllocationArgs,
  NodeResourcesFitArgs,
  PodTopologySpreadArgs,
  readKey,
  type KubeSchedulerConfiguration,
  type SchedulerExtensionPoint,
  type SchedulerProfile,
} from '../../../contracts/objects/index.ts';
import type { Plugin } from './framework.ts';
import { balancedAllocation } from './plugins/balanced-allocation.ts';
import { coscheduling } from './plugins/coscheduling.ts';
import { defaultPreemption } from './plugins/default-preemption.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodePorts } from './plugins/node-ports.ts';
import { nodeResourcesFit } from './plugins/node-resources-fit.ts';
import { nodeName, nodeReady, nodeUnschedulable } from './plugins/node-state.ts';
import { podTopologySpread } from './plugins/pod-topology-spread.ts';
import { byPriority, defaultBinder, prioritySort, schedulingGates } from './plugins/queue-plugins.ts';
import { taintToleration } from './plugins/taint-toleration.ts';
import { volumeBinding } from './plugins/volume-binding.ts';

export interface Profile {
  readonly schedulerName: string;
  /** Share of the nodes that is enough: 100 looks at all, 0 chooses by the number of nodes. */
  readonly percentageOfNodesToScore: number;
  readonly queueSort: NonNullable<Plugin['queueSort']>;
  readonly preEnqueue: readonly Plugin[];
  /** Of the extension points preFilter and filter. */
  readonly filters: readonly Plugin[];
  readonly postFilters: readonly Plugin[];
  /** Of the extension points preScore and score. */
  readonly scores: readonly { readonly plugin: Plugin; readonly weight: number }[];
  readonly reserve: readonly Plugin[];
  readonly permit: readonly Plugin[];
  readonly preBind: readonly Plugin[];
  readonly bind: readonly Plugin[];
}

/** What is wrong with a configuration, and where. */
export interface ConfigurationProblem {
  /** Such as `profiles[0].pluginConfig[1].args.scoringStrategy`. */
  readonly path: string;
  readonly message: string;
}

interface Maker {
  readonly weight: number;
  readonly args: z.ZodType;
  /** `args` has passed the schema. */
  make(args: never): Plugin;
}
function maker<A extends z.ZodType>(args: A, make: (args: z.infer<A>) => Plugin, weight = 1): Maker {
  return { weight, args, make };
}
const always = (plugin: Plugin, weight = 1): Maker => maker(NoArgs, () => plugin, weight);

/** Every built-in plugin by name, in the order of the default profile. */
const BUILT_IN: Readonly<Record<string, Maker>> = {
  SchedulingGates: always(schedulingGates),
  PrioritySort: always(prioritySort),
  NodeUnschedulable: always(nodeUnschedulable),
  NodeName: always(nodeName),
  TaintToleration: always(taintToleration, 3),
  NodeReady: always(nodeReady),
  NodeAffinity: maker(NodeAffinityArgs, nodeAffinity, 2),
  NodePorts: always(nodePorts),
  NodeResourcesFit: maker(NodeResourcesFitArgs, nodeResourcesFit),
  VolumeBinding: always(volumeBinding),
  PodTopologySpread: maker(PodTopologySpreadArgs, podTopologySpread, 2),
  InterPodAffinity: maker(InterPodAffinityArgs, interPodAffinity, 2),
  DefaultPreemption: maker(DefaultPreemptionArgs, defaultPreemption),
  Coscheduling: always(coscheduling),
  NodeResourcesBalancedAllocation: maker(NodeResourcesBalancedAllocationArgs, balancedAllocation),
  ImageLocality: always(imageLocality),
  DefaultBinder: always(defaultBinder),
};

// Names come from files, and `constructor` is none of a plugin.
Object.setPrototypeOf(BUILT_IN, null);

export const BUILT_IN_PLUGINS: readonly string[] = Object.keys(BUILT_IN);

/** A built-in plugin as it is without arguments, and the schema of those. */
export function builtIn(name: string): { readonly plugin: Plugin; readonly args: z.ZodType } | undefined {
  const known = readKey(BUILT_IN, name);
  return known && { plugin: known.make(known.args.parse({}) as never), args: known.args };
}

/** Whether the plugin does anything at the point. */
export function extendsPoint(plugin: Plugin, point: SchedulerExtensionPoint): boolean {
  switch (point) {
    case 'multiPoint':
      return true;
    case 'preFilter':
    case 'filter':
      return plugin.preFilter !== undefined;
    case 'preScore':
    case 'score':
      return plugin.preScore !== undefined;
    case 'reserve':
      return plugin.reserve !== undefined || plugin.unreserve !== undefined;
    default:
      return plugin[point] !== undefined;
  }
}

/** Plugins that are not built in, by name: those of SchedulerPlugin objects. Profiles enable them. */
export type MorePlugins = ReadonlyMap<string, Plugin>;

/**
 * The profiles of a configuration by `schedulerName`; the default profile where there is none. Problems leave a plugin
 * at its defaults.
 */
export function buildProfiles(
  config: Pick<KubeSchedulerConfiguration, 'profiles' | 'percentageOfNodesToScore'> | undefined,
  more: MorePlugins = new Map(),
): { readonly profiles: ReadonlyMap<string, Profile>; readonly problems: readonly ConfigurationProblem[] } {
  const problems: ConfigurationProblem[] = [];
  const profiles = new Map<string, Profile>();
  for (const [at, given] of (config?.profiles ?? [{ schedulerName: DEFAULT_SCHEDULER_NAME }]).entries()) {
    const path = `profiles[${at}]`;
    if (profiles.has(given.schedulerName)) {
      problems.push({ path: `${path}.schedulerName`, message: `another profile has the name ${given.schedulerName}` });
      continue;
    }
    const profile = buildProfile(
      given,
      given.percentageOfNodesToScore ?? config?.percentageOfNodesToScore ?? 100,
      more,
      (problem) => problems.push({ ...problem, path: `${path}.${problem.path}` }),
    );
    const { queueSort } = profiles.values().next().value ?? profile;
    if (queueSort !== profile.queueSort)
      problems.push({
        path: `${path}.plugins.queueSort`,
        message: 'all profiles must sort the queue with the same plugin; that of the first is used',
      });
    profiles.set(given.schedulerName, { ...profile, queueSort });
  }
  return { profiles, problems };
}

function buildProfile(
  given: SchedulerProfile,
  percentageOfNodesToScore: number,
  more: MorePlugins,
  problem: (problem: ConfigurationProblem) => void,
): Profile {
  const argsOf = new Map<string, unknown>();
  for (const [at, { name, args }] of (given.pluginConfig ?? []).entries()) {
    const known = readKey(BUILT_IN, name);
    const path = `pluginConfig[${at}]`;
    if (given.pluginConfig?.findIndex((entry) => entry.name === name) !== at) {
      problem({ path: `${path}.name`, message: `${name} has arguments already` });
      continue;
    }
    if (!known) {
      problem({ path: `${path}.name`, message: `there is no plugin ${name} that takes arguments` });
      continue;
    }
    const parsed = known.args.safeParse(args ?? {});
    if (parsed.success) argsOf.set(name, parsed.data);
    else
      for (const issue of parsed.error.issues)
        problem({ path: [`${path}.args`, ...issue.path].join('.'), message: issue.message });
  }
  const made = new Map<string, Plugin>();
  const plugin = (name: string): Plugin | undefined => {
    let found = made.get(name);
    if (found) return found;
    const known = readKey(BUILT_IN, name);
    found = known ? known.make((argsOf.get(name) ?? known.args.parse({})) as never) : more.get(name);
    if (found) made.set(name, found);
    return found;
  };
  const at = (...points: readonly SchedulerExtensionPoint[]): { plugin: Plugin; weight: number }[] =>
    enabledAt(given, points, problem, (name) => plugin(name) !== undefined).flatMap(({ name, weight }) => {
      const found = plugin(name);
      return found ? [{ plugin: found, weight }] : [];
    });
  const having = (
    point: 'reserve' | 'permit' | 'preBind' | 'bind' | 'postFilter' | 'preEnqueue' | 'queueSort',
    ...points: readonly SchedulerExtensionPoint[]
  ): Plugin[] =>
    at(...points)
      .map((entry) => entry.plugin)
      .filter((candidate) => candidate[point] !== undefined);

  const sorting = having('queueSort', 'queueSort');
  if (sorting.length === 0)
    problem({
      path: 'plugins.queueSort',
      message: 'a profile needs a plugin that sorts the queue; PrioritySort is used',
    });
  if (sorting.length > 1)
    problem({
      path: 'plugins.queueSort',
      message: `only one plugin may sort the queue, not ${sorting.map(({ name }) => name).join(', ')}`,
    });
  const bind = having('bind', 'bind');
  if (bind.length === 0)
    problem({ path: 'plugins.bind', message: 'a profile needs a plugin that binds; DefaultBinder is used' });
  return {
    schedulerName: given.schedulerName,
    percentageOfNodesToScore,
    queueSort: sorting[0]?.queueSort ?? byPriority,
    preEnqueue: having('preEnqueue'),
    filters: at('preFilter', 'filter')
      .map((entry) => entry.plugin)
      .filter((plugin) => plugin.preFilter !== undefined),
    postFilters: having('postFilter', 'postFilter'),
    scores: at('preScore', 'score').filter((entry) => entry.plugin.preScore !== undefined && entry.weight > 0),
    reserve: having('reserve', 'reserve'),
    permit: having('permit', 'permit'),
    preBind: having('preBind', 'preBind'),
    bind: bind.length > 0 ? bind : [defaultBinder],
  };
}

/**
 * Names enabled at all of the points: the defaults, changed by `multiPoint`, changed by each point's own set. What
 * `multiPoint` names keeps its place or is added; what a point names goes first there, in that order.
 */
function enabledAt(
  profile: SchedulerProfile,
  points: readonly SchedulerExtensionPoint[],
  problem: (problem: ConfigurationProblem) => void,
  exists: (name: string) => boolean,
): readonly { name: string; weight: number }[] {
  let list = Object.entries(BUILT_IN).map(([name, { weight }]) => ({ name, weight }));
  for (const point of ['multiPoint', ...points] as const) {
    const set = profile.plugins?.[point];
    const off = new Set((set?.disabled ?? []).map(({ name }) => name));
    const all = off.has('*') ? [] : list.filter(({ name }) => !off.has(name));
    const named = new Map<string, { name: string; weight: number }>();
    for (const [at, { name, weight }] of (set?.enabled ?? []).entries()) {
      // `multiPoint` is read for every point, and told of once.
      if (exists(name))
        named.set(name, {
          name,
          weight: weight ?? list.find((entry) => entry.name === name)?.weight ?? readKey(BUILT_IN, name)?.weight ?? 1,
        });
      else if (point !== 'multiPoint' || points[0] === 'preFilter')
        problem({ path: `plugins.${point}.enabled[${at}].name`, message: `there is no plugin ${name}` });
    }
    const others = all.filter(({ name }) => !named.has(name));
    if (point !== 'multiPoint') list = [...named.values(), ...others];
    else list = [...new Map([...all, ...named.values()].map((entry) => [entry.name, entry])).values()];
  }
  return list;
}

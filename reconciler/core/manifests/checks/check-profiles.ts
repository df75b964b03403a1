/** Profiles of the scheduler: what it would complain about is an error here, so that it never has to. */
import {
  readKey,
  type KubeSchedulerConfiguration,
  type PluginConfig,
  type SchedulerExtensionPoint,
  type SchedulerPluginSet,
} from '../../../../contracts/objects/index.ts';
import type { Plugin } from '../../scheduling/framework.ts';
import { BUILT_IN_PLUGINS, buildProfiles, builtIn, extendsPoint } from '../../scheduling/profile.ts';
import { suggest } from '../suggest.ts';
import { pathText, type FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

/** kube-scheduler's other plugins. To disable one changes nothing, as it is not there. */
export const KUBERNETES_PLUGINS: readonly string[] = [
  'AzureDiskLimits',
  'DefaultPreemption',
  'DynamicResources',
  'EBSLimits',
  'GCEPDLimits',
  'GangScheduling',
  'NodeDeclaredFeatures',
  'NodeVolumeLimits',
  'VolumeBinding',
  'VolumeRestrictions',
  'VolumeZone',
];

/** Where plugins of Kubernetes have a part that is done here at another point. */
const DONE_ELSEWHERE: Readonly<Record<string, readonly SchedulerExtensionPoint[]>> = {
  NodeName: ['filter'],
  Coscheduling: ['preFilter', 'postFilter', 'reserve'],
};

export interface PluginUse {
  readonly path: FieldPath;
  readonly point: SchedulerExtensionPoint;
  readonly name: string;
  readonly enabled: boolean;
}

/**
 * Everything that is to be known without other objects. Names that are not built in may be those of SchedulerPlugins,
 * and are taken as such. `told`: paths of which something was reported, to which `error` adds: what was said in better
 * words is not said again.
 */
export function checkProfiles(
  config: KubeSchedulerConfiguration,
  { error, ...context }: CheckContext,
  told: Set<string>,
): void {
  for (const [i, { pluginConfig = [] }] of config.profiles.entries()) {
    for (const [j, entry] of pluginConfig.entries()) {
      const path = ['profiles', i, 'pluginConfig', j];
      told.add(pathText([...path, 'args']));
      if (!told.has(pathText([...path, 'name']))) checkArgs(entry, path, { ...context, error });
    }
  }
  const others = new Map<string, Plugin>();
  for (const { path, point, name, enabled } of pluginUses(config)) {
    const known = builtIn(name);
    if (!known && KUBERNETES_PLUGINS.includes(name)) {
      if (enabled)
        error('UnsupportedValue', path, `is ${name}, a plugin of Kubernetes that Plumbline does not have`, 'remove it');
    } else if (!known) others.set(name, { name, preFilter: () => undefined, preScore: () => undefined });
    else if (enabled && !extendsPoint(known.plugin, point) && !readKey(DONE_ELSEWHERE, name)?.includes(point))
      error('InvalidValue', path, `is ${name}, which has no part in ${point}`, 'remove it');
  }
  for (const { path, message } of buildProfiles(config, others).problems) {
    if (!told.has(path.replace(/(\.args)\..*/, '$1'))) error('InvalidValue', fieldPathOf(path), `is wrong: ${message}`);
  }
}

/** Every name of a plugin in the profiles, with where it is. */
export function pluginUses({ profiles }: KubeSchedulerConfiguration): PluginUse[] {
  return profiles.flatMap(({ plugins = {} }, i) =>
    (Object.entries(plugins) as [SchedulerExtensionPoint, SchedulerPluginSet | undefined][]).flatMap(([point, set]) =>
      (['enabled', 'disabled'] as const).flatMap((part) =>
        (set?.[part] ?? []).flatMap(({ name }, j): PluginUse[] =>
          name === '*' && part === 'disabled'
            ? []
            : [{ path: ['profiles', i, 'plugins', point, part, j, 'name'], point, name, enabled: part === 'enabled' }],
        ),
      ),
    ),
  );
}

function checkArgs({ name, args }: PluginConfig, path: FieldPath, { error, shape }: CheckContext): void {
  const known = builtIn(name);
  if (known) {
    if (args) shape([...path, 'args'], known.args);
  } else if (KUBERNETES_PLUGINS.includes(name)) {
    error(
      'UnsupportedValue',
      [...path, 'name'],
      `is ${name}, a plugin of Kubernetes that Plumbline does not have`,
      'remove it',
    );
  } else {
    const close = suggest(name, BUILT_IN_PLUGINS);
    error(
      'UnknownPlugin',
      [...path, 'name'],
      `names ${name}, and no plugin of this name takes arguments`,
      close && `did you mean ${close}?`,
    );
  }
}

/** `profiles[0].plugins.filter` as the path that it is. */
function fieldPathOf(text: string): FieldPath {
  return text
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}

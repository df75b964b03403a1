/** Plugins that the scheduler's profiles name, against the SchedulerPlugins that there are. */
import {
  namesOf,
  objectKey,
  type KubeSchedulerConfiguration,
  type ObjectKey,
} from '../../../contracts/objects/index.ts';
import { expressionPlugin } from '../scheduling/plugins/expression.ts';
import { BUILT_IN_PLUGINS, builtIn, extendsPoint } from '../scheduling/profile.ts';
import { KUBERNETES_PLUGINS, pluginUses } from './checks/check-profiles.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { Suggestions } from './suggest.ts';
import type { DesiredObject, DesiredState } from './types.ts';
import { pathText } from './yaml-tree.ts';

/** `declared`: also what was refused. */
export function checkPlugins(
  state: DesiredState,
  declared: ReadonlySet<ObjectKey>,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const own = namesOf('SchedulerPlugin', declared);
  for (const desired of state.values())
    if (desired.object.kind === 'KubeSchedulerConfiguration')
      checkUses(desired, desired.object, own, state, suggestions, tell);
}

function checkUses(
  desired: DesiredObject,
  config: KubeSchedulerConfiguration,
  own: readonly string[],
  state: DesiredState,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const declared = new Set(own);
  for (const { path, point, name, enabled } of pluginUses(config)) {
    if (builtIn(name) || KUBERNETES_PLUGINS.includes(name)) continue;
    const at = positionOf(desired, ...path);
    const plugin = state.get(objectKey('SchedulerPlugin', undefined, name))?.object;
    if (!declared.has(name)) {
      const isUsable = (other: string): boolean => {
        const { plugin: part } = builtIn(other) ?? {};
        return !part || !enabled || extendsPoint(part, point);
      };
      const close = suggestions.closest(name, () => [...own, ...BUILT_IN_PLUGINS].filter(isUsable));
      tell(
        'error',
        'UnknownPlugin',
        at,
        `${pathText(path)} names ${name}, which is neither a built-in plugin nor a SchedulerPlugin`,
        close ? `did you mean ${close}?` : 'add a manifest of kind SchedulerPlugin with this name',
      );
    } else if (enabled && plugin?.kind === 'SchedulerPlugin' && !extendsPoint(expressionPlugin(plugin), point)) {
      tell(
        'error',
        'InvalidValue',
        at,
        `${pathText(path)} is SchedulerPlugin ${name}, which has no part in ${point}`,
        `it has a ${Object.keys(plugin.spec).join(' and a ')}`,
      );
    }
  }
}

/** The scheduler's profiles as the repository has them: its configuration, with the SchedulerPlugins that it names. */
import type { StoredOf } from '../../../contracts/objects/index.ts';
import { expressionPlugin } from '../../core/scheduling/plugins/expression.ts';
import { buildProfiles, type Profile } from '../../core/scheduling/profile.ts';
import type { StoreView } from '../runtime/controller.ts';

export interface Profiles {
  /** By `schedulerName`, the default one first where nothing is configured. */
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly config: StoredOf<'KubeSchedulerConfiguration'> | undefined;
  /** Plugins that profiles enable by name, whether they exist or not. */
  readonly named: ReadonlySet<string>;
}

export function profilesOf(view: Pick<StoreView, 'list'>): Profiles {
  const config = view.list('KubeSchedulerConfiguration')[0];
  const named = new Set(
    config?.profiles.flatMap(({ plugins }) =>
      Object.values(plugins ?? {}).flatMap((set) => (set?.enabled ?? []).map(({ name }) => name)),
    ),
  );
  const own = named.size === 0 ? [] : view.list('SchedulerPlugin').filter(({ metadata }) => named.has(metadata.name));
  const { profiles } = buildProfiles(
    config,
    new Map(own.map((plugin) => [plugin.metadata.name, expressionPlugin(plugin)])),
  );
  return { profiles, config, named };
}

/** What to do about pods that should run elsewhere: a DeschedulerPolicy, or its defaults, or some plugins of either. */
import {
  DEFAULT_SETTINGS,
  defaultPlugin,
  readDeschedulerPolicy,
  type DeschedulerPlugin,
  type DeschedulerPluginName,
  type DeschedulerPolicy,
  type DeschedulerProblem,
  type DeschedulerSettings,
} from '../../../../contracts/objects/index.ts';
import type { RebalancePolicy } from '../rebalance.ts';

/**
 * The policy that the object says; where there is none, all that balances. `only`: these plugins, whether they are
 * enabled or not, with the arguments that the object has for them.
 */
export function rebalancePolicy(
  object: DeschedulerPolicy | undefined,
  only: readonly DeschedulerPluginName[] = [],
): { readonly policy: RebalancePolicy; readonly problems: readonly DeschedulerProblem[] } {
  const { profiles, problems } = object
    ? readDeschedulerPolicy(object)
    : { profiles: [DEFAULT_SETTINGS], problems: [] };
  const { maxNoOfPodsToEvictPerNode, maxNoOfPodsToEvictTotal } = object ?? {};
  return {
    policy: {
      profiles: only.length > 0 ? selected(profiles, only) : profiles,
      maxNoOfPodsToEvictPerNode,
      maxNoOfPodsToEvictTotal,
    },
    problems,
  };
}

/**
 * A plugin that no profile enables is taken from the first that has arguments for it, else with defaults into the
 * first.
 */
function selected(
  profiles: readonly DeschedulerSettings[],
  only: readonly DeschedulerPluginName[],
): readonly DeschedulerSettings[] {
  const named = (plugins: readonly DeschedulerPlugin[]): readonly DeschedulerPlugin[] =>
    plugins.filter(({ name }) => only.includes(name));
  const enabled = new Set(profiles.flatMap(({ plugins }) => plugins.map(({ name }) => name)));
  const missing = new Set(only.filter((name) => !enabled.has(name)));
  const chosen = profiles.map(({ evictor, plugins, configured }): DeschedulerSettings => {
    const added = configured.filter(({ name }) => missing.delete(name));
    return { evictor, plugins: [...named(plugins), ...added], configured: [] };
  });
  const [first, ...others] = chosen;
  const rest = [...missing].map(defaultPlugin);
  return first
    ? [{ ...first, plugins: [...first.plugins, ...rest] }, ...others]
    : [{ evictor: {}, plugins: rest, configured: [] }];
}

/**
 * Priorities, disruption budgets, and the settings of scheduler and descheduler. Source: Kubernetes' validation of
 * each.
 */
import {
  readDeschedulerPolicy,
  SYSTEM_PRIORITY_PREFIX,
  type DeschedulerPolicy,
  type KubeSchedulerConfiguration,
  type PluginConfig,
  type PodDisruptionBudget,
  type PriorityClass,
} from '../../../../contracts/objects/index.ts';
import { pathText, type FieldPath } from '../yaml-tree.ts';
import { checkProfiles } from './check-profiles.ts';
import { checkSelector } from './check-selector.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

export function checkPriorityClass({ metadata }: PriorityClass, { error }: CheckContext): void {
  if (metadata.name.startsWith(SYSTEM_PRIORITY_PREFIX)) {
    error(
      'InvalidValue',
      ['metadata', 'name'],
      `may not start with ${SYSTEM_PRIORITY_PREFIX}: those classes are built in`,
      'use another name',
    );
  }
}

export function checkDisruptionBudget({ spec }: PodDisruptionBudget, context: CheckContext): void {
  if (spec.selector) checkSelector(spec.selector, ['spec', 'selector'], context);
  for (const field of ['minAvailable', 'maxUnavailable'] as const) {
    const amount = spec[field];
    if (typeof amount === 'string' && Number.parseInt(amount, 10) > 100)
      context.error('InvalidValue', ['spec', field], `must not be more than 100%, found ${amount}`);
  }
}

export function checkSchedulerConfiguration(config: KubeSchedulerConfiguration, context: CheckContext): void {
  const { profiles, podInitialBackoffSeconds, podMaxBackoffSeconds } = config;
  const told = new Set<string>();
  const error: CheckContext['error'] = (code, path, message, hint) => {
    told.add(pathText(path));
    context.error(code, path, message, hint);
  };
  if (podMaxBackoffSeconds < podInitialBackoffSeconds) {
    error(
      'InvalidValue',
      ['podMaxBackoffSeconds'],
      `must be at least podInitialBackoffSeconds (${podInitialBackoffSeconds}), found ${podMaxBackoffSeconds}`,
    );
  }
  eachDuplicate(
    profiles,
    (p) => p.schedulerName,
    (_, name, i) => {
      error(
        'DuplicateName',
        ['profiles', i, 'schedulerName'],
        `${name} is the schedulerName of another profile`,
        'give each profile a schedulerName of its own',
      );
    },
  );
  for (const [i, { plugins, pluginConfig }] of profiles.entries()) {
    for (const [point, set] of Object.entries(plugins ?? {})) {
      const at: FieldPath = ['profiles', i, 'plugins', point];
      for (const part of ['enabled', 'disabled'] as const) {
        eachDuplicate(
          set?.[part] ?? [],
          (p) => p.name,
          (_, name, j) => {
            error('DuplicateName', [...at, part, j, 'name'], `${name} is listed twice`, 'remove one of the two');
          },
        );
      }
    }
    checkPluginConfig(pluginConfig, ['profiles', i], { ...context, error });
  }
  checkProfiles(config, { ...context, error }, told);
}

export function checkDeschedulerPolicy(policy: DeschedulerPolicy, context: CheckContext): void {
  const { profiles } = policy;
  eachDuplicate(
    profiles,
    (p) => p.name,
    (_, name, i) => {
      context.error('DuplicateName', ['profiles', i, 'name'], `${name} is the name of another profile`);
    },
  );
  for (const [i, { pluginConfig }] of profiles.entries()) checkPluginConfig(pluginConfig, ['profiles', i], context);
  for (const { path, message } of readDeschedulerPolicy(policy).problems) context.error('InvalidValue', path, message);
}

function checkPluginConfig(
  configs: readonly PluginConfig[] | undefined,
  path: FieldPath,
  { error }: CheckContext,
): void {
  eachDuplicate(
    configs ?? [],
    (c) => c.name,
    (_, name, i) => {
      error(
        'DuplicateName',
        [...path, 'pluginConfig', i, 'name'],
        `${name} has another entry in this list`,
        'put its args into one',
      );
    },
  );
}

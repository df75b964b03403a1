/** KubeSchedulerConfiguration: profiles of the scheduler. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { pluginUses } from '../manifests/checks/check-profiles.ts';
import { checkSchedulerConfiguration } from '../manifests/checks/check-scheduling.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const KUBE_SCHEDULER_CONFIGURATION: KindDescriptor<'KubeSchedulerConfiguration'> = {
  identity: KINDS.KubeSchedulerConfiguration,
  wave: 0,
  categories: [],
  columns: [NAME, { heading: 'PROFILES', cell: (c) => c.profiles.map((p) => p.schedulerName).join(',') }, AGE],
  listed: 'by key',
  check: { object: checkSchedulerConfiguration },
  compared: { paths: (config) => pluginUses(config).map((use) => use.path) },
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};

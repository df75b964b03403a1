/**
 * Every kind of workload on one fleet of real hosts. Each file of workloads/ has the tests of one theme; all of them
 * push to the same repository, so each keeps to files, names and a namespace of its own, and removes what it pushed.
 * PLUMB_E2E_REPEAT=N runs every test N times.
 */
import { after, before, describe } from 'node:test';
import { Fleet } from './fleet.ts';
import { config } from './workloads/config.ts';
import { autoscalers } from './workloads/autoscaler.ts';
import { daemonSets } from './workloads/daemonset.ts';
import { database } from './workloads/database.ts';
import { deployments } from './workloads/deployment.ts';
import { dns } from './workloads/dns.ts';
import { examples } from './workloads/examples.ts';
import { jobs } from './workloads/job.ts';
import { livePods } from './workloads/live-pod.ts';
import { lookingIn } from './workloads/looking-in.ts';
import { networkPolicies } from './workloads/network-policy.ts';
import { podFields } from './workloads/pod-fields.ts';
import { pods, podsEnd } from './workloads/pods.ts';
import { probes } from './workloads/probes.ts';
import { quotas } from './workloads/quota.ts';
import { runtimeClasses } from './workloads/runtime-class.ts';
import { secrets } from './workloads/secrets.ts';
import { security } from './workloads/security.ts';
import { replicationControllers } from './workloads/replication-controller.ts';
import { staticPods } from './workloads/static-pods.ts';
import { statefulSets } from './workloads/statefulset.ts';
import { storage } from './workloads/storage.ts';
import type { Theme } from './workloads/theme.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
// prettier-ignore
const THEMES: readonly Theme[] = [
  pods,
  deployments,
  config,
  secrets,
  quotas,
  autoscalers,
  replicationControllers,
  runtimeClasses,
  daemonSets,
  jobs,
  livePods,
  probes,
  staticPods,
  podFields,
  dns,
  networkPolicies,
  lookingIn,
  statefulSets,
  storage,
  security,
  database,
  examples,
  podsEnd,
];

describe('workloads', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({
      name: 'work',
      subnet: '198.18.29.0/24',
      podCIDR: '198.19.160.0/20',
      serviceCIDR: '198.19.176.0/20',
      nodes: 3,
    });
  });
  after(async () => {
    await fleet?.close();
  });

  for (let round = 1; round <= REPEAT; round += 1) {
    describe(`round ${round}`, () => {
      for (const theme of THEMES) theme(() => fleet, round);
    });
  }
});

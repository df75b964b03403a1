/** The controllers of live objects, in no order that matters: each works its own keys. */
import { NodeMonitor } from '../core/health/node-monitor.ts';
import { Rounds } from './autoscaling/rounds.ts';
import { certificateShim } from './certificates/certificate-shim.ts';
import { cronJobController } from './cronjob.ts';
import { customResourceDefinitionController } from './customresourcedefinition.ts';
import { daemonSetController } from './daemonset.ts';
import { deploymentController } from './deployment.ts';
import { deschedulerController } from './descheduling/descheduler.ts';
import { endpointsController } from './endpoints.ts';
import { createEndpointSliceController } from './endpointslice.ts';
import { garbageCollector } from './garbage-collector.ts';
import { createGatewayController } from './gateway.ts';
import { horizontalPodAutoscalerController } from './horizontalpodautoscaler.ts';
import { jobController, jobOrphansController } from './job.ts';
import { namespaceControllers } from './namespace.ts';
import { networkPolicyController } from './networkpolicy.ts';
import { nodeDrainController } from './node-drain.ts';
import { nodeLifecycleControllers } from './node-lifecycle.ts';
import { ephemeralVolumeController } from './ephemeralvolume.ts';
import { persistentVolumeController } from './persistentvolume.ts';
import { persistentVolumeClaimController } from './persistentvolumeclaim.ts';
import { podDisruptionBudgetController } from './poddisruptionbudget.ts';
import { podGcController } from './pod-gc.ts';
import { podGroupController } from './podgroup.ts';
import { replicaSetController, replicationController } from './replicaset.ts';
import { resourceQuotaController } from './resourcequota.ts';
import type { Controller } from './runtime/controller.ts';
import { serviceController } from './service.ts';
import { serviceAccountController } from './serviceaccount.ts';
import { statefulSetController } from './statefulset.ts';
import { taintEvictionController } from './taint-eviction.ts';

/** The group that has to hear of nodes. */
export const MONITORING = 'nodes';
/** The group that decides on what is measured beside it. */
export const AUTOSCALING = 'autoscaling';

/**
 * Controllers by group, made anew each time. A group is held by one control plane at a time, different groups perhaps by
 * different ones. Within a group they may share what they remember; what a controller decides beyond one object (which
 * addresses are free, what a budget allows) is decided in one place.
 */
export const CONTROLLER_GROUPS: Readonly<
  Record<string, (monitor: NodeMonitor, rounds: Rounds) => readonly Controller[]>
> = {
  namespaces: () => [...namespaceControllers, serviceAccountController, customResourceDefinitionController],
  /** They remember what they saw of nodes, in the monitor. */
  [MONITORING]: (monitor) => [
    ...nodeLifecycleControllers(monitor),
    replicaSetController(monitor),
    replicationController(monitor),
    jobController(monitor),
    jobOrphansController,
    taintEvictionController(monitor),
  ],
  services: () => [serviceController],
  networkpolicies: () => [networkPolicyController],
  gateways: () => [createGatewayController()],
  /** What is issued is issued beside it. */
  certificates: () => [certificateShim],
  endpointslices: () => [createEndpointSliceController(), endpointsController],
  deployments: () => [deploymentController],
  statefulsets: () => [statefulSetController],
  daemonsets: () => [daemonSetController()],
  cronjobs: () => [cronJobController],
  [AUTOSCALING]: (_monitor, rounds) => [horizontalPodAutoscalerController(rounds)],
  evictions: () => [nodeDrainController, podDisruptionBudgetController, deschedulerController],
  volumes: () => [persistentVolumeClaimController, persistentVolumeController, ephemeralVolumeController],
  podgroups: () => [podGroupController],
  quotas: () => [resourceQuotaController],
  garbage: () => [podGcController, garbageCollector],
};

/** All of them, for one process that holds everything. */
export function allControllers(monitor = new NodeMonitor(), rounds = new Rounds()): Controller[] {
  return Object.values(CONTROLLER_GROUPS).flatMap((make) => make(monitor, rounds));
}

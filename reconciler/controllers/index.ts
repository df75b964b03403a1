/** The controllers of live objects, in no order that matters: each works its own keys. */
import { NodeMonitor } from '../core/health/node-monitor.ts';
import { deploymentController } from './deployment.ts';
import { deschedulerController } from './descheduling/descheduler.ts';
import { endpointSliceController } from './endpointslice.ts';
import { garbageCollector } from './garbage-collector.ts';
import { namespaceControllers } from './namespace.ts';
import { nodeDrainController } from './node-drain.ts';
import { nodeLifecycleControllers } from './node-lifecycle.ts';
import { podDisruptionBudgetController } from './poddisruptionbudget.ts';
import { podGcController } from './pod-gc.ts';
import { podGroupController } from './podgroup.ts';
import { replicaSetController } from './replicaset.ts';
import { resourceQuotaController } from './resourcequota.ts';
import type { Controller } from './runtime/controller.ts';
import { serviceController } from './service.ts';
import { taintEvictionController } from './taint-eviction.ts';

/** Made anew for each session: some remember what they saw of nodes, in the `monitor`. */
export function allControllers(monitor = new NodeMonitor()): Controller[] {
  return [
    ...namespaceControllers,
    ...nodeLifecycleControllers(monitor),
    serviceController,
    endpointSliceController,
    deploymentController,
    replicaSetController(monitor),
    taintEvictionController(monitor),
    nodeDrainController,
    podDisruptionBudgetController,
    podGroupController,
    resourceQuotaController,
    deschedulerController,
    podGcController,
    garbageCollector,
  ];
}

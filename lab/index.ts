/** The local multi-host lab: what the command line, the quickstart and the tests call. */
export {
  labDown,
  labExec,
  labHeal,
  labPartition,
  labPowerOff,
  labPowerOn,
  labSshArgv,
  labStatus,
  labUp,
  type LabInfo,
  type LabNode,
  type LabNodePlace,
  type LabPlace,
  type LabUpOptions,
} from './lab.ts';
export { machineManifests } from './manifests.ts';

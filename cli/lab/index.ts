/** The local multi-host lab: what the command line, the quickstart and the tests call. */
export { LabFailure, LabRefusal } from './errors.ts';
export {
  labDown, labExec, labExecArgv, labHeal, labPartition, labPowerOff, labPowerOn, labSsh, labSshArgv, labStatus, labUp, type LabInfo, type LabNode, type LabNodePlace,
  type LabPlace, type LabUpOptions,
} from './lab.ts';
export { registerLabCommand } from './command.ts';
export { machineManifests } from './manifests.ts';

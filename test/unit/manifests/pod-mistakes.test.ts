/** Of pods: see mistakes.ts. */
import { describe } from 'node:test';
import { findsIt, pod, type Case } from './mistakes.ts';

const CASES: readonly Case[] = [
  [
    "a resource that is no pod's as a whole",
    pod('  resources: {limits: {ephemeral-storage: ▶1Gi}}\n'),
    'UnknownResource',
    /resources\.limits\.ephemeral-storage is not for a pod as a whole/,
  ],
  [
    'less for a pod than its containers ask for',
    pod('    resources: {requests: {cpu: 200m}}\n  resources: {requests: {cpu: ▶100m}}\n'),
    'InvalidValue',
    /requests\.cpu must be greater than or equal to aggregate container requests of 200m, found 100m/,
  ],
  [
    'more for a container than its pod may have',
    pod('    resources: {limits: {memory: ▶2Gi}, requests: {memory: 1Mi}}\n  resources: {limits: {memory: 1Gi}}\n'),
    'InvalidValue',
    /containers\[0\]\.resources\.limits\.memory must be less than or equal to pod limits of 1Gi, found 2Gi/,
  ],
  [
    'a stop signal for a pod that does not say for which system',
    pod('    lifecycle: {stopSignal: ▶SIGQUIT}\n'),
    'InvalidValue',
    /containers\[0\]\.lifecycle\.stopSignal may only be set where spec\.os\.name is/,
  ],
  [
    'a stop signal that is none',
    pod('    lifecycle: {stopSignal: ▶QUIT}\n  os: {name: linux}\n'),
    'InvalidValue',
    /lifecycle\.stopSignal must be the name of a signal, such as SIGQUIT/,
  ],
  ['a pod of another system', pod('  os: {name: ▶windows}\n'), 'InvalidValue', /spec\.os\.name must be linux/],
  [
    'all of /proc for a pod with the users of its node',
    pod('    securityContext:\n      procMount: ▶Unmasked\n'),
    'InvalidValue',
    /procMount may be Unmasked only where hostUsers of the pod is false/,
  ],
  [
    'users of its own among the processes of its node',
    pod('  hostUsers: false\n  hostPID: ▶true\n'),
    'ForbiddenField',
    /hostPID may not be true when hostUsers is false/,
  ],
];

describe('one mistake in what a pod wants of its node is one finding at its place', () => {
  for (const one of CASES) findsIt(one);
});

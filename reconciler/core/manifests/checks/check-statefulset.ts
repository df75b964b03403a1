/**
 * StatefulSet. Source: Kubernetes pkg/apis/apps/validation (ValidateStatefulSetSpec), and what its pods' names may be.
 */
import { DnsLabel } from '../../../../contracts/objects/schema.ts';
import type { StatefulSet } from '../../../../contracts/objects/index.ts';
import { eachDuplicate, type CheckContext } from './context.ts';
import { checkTemplate, isZero, notAboveAll } from './check-workloads.ts';

/** Names of its pods and of its revisions are host names and label values. */
const MAX_LABEL = 63;
/** Of what follows the name in that of a ControllerRevision: `-` and a hash. */
const REVISION_SUFFIX = 11;

export function checkStatefulSet(object: StatefulSet, context: CheckContext): void {
  checkTemplate(object, context);
  checkName(object, context);
  eachDuplicate(
    (object.spec.volumeClaimTemplates ?? []).map(({ metadata }, i) => ({ name: metadata.name, i })),
    ({ name }) => name,
    ({ i }, name) => {
      context.error(
        'DuplicateName',
        ['spec', 'volumeClaimTemplates', i, 'metadata', 'name'],
        `${name} is the name of another claim template`,
        'choose another one: claims are named after it',
      );
    },
  );
  const { updateStrategy } = object.spec;
  if (updateStrategy.type !== 'RollingUpdate') return;
  const { maxUnavailable } = updateStrategy.rollingUpdate;
  const path = ['spec', 'updateStrategy', 'rollingUpdate', 'maxUnavailable'];
  if (isZero(maxUnavailable)) context.error('InvalidValue', path, 'may not be 0: no pod could ever be replaced');
  notAboveAll(maxUnavailable, path, context);
}

/** Kubernetes takes some of these names, and then cannot make the pods. */
function checkName({ metadata: { name }, spec }: StatefulSet, context: CheckContext): void {
  const last = spec.ordinals.start + Math.max(0, spec.replicas - 1);
  const most = MAX_LABEL - Math.max(REVISION_SUFFIX, `-${last}`.length);
  if (name.length > most)
    context.error(
      'InvalidValue',
      ['metadata', 'name'],
      `must be no more than ${most} characters: host names of its pods and labels of their revisions begin with it`,
      'choose a shorter name',
    );
  else if (!DnsLabel.safeParse(name).success)
    context.error(
      'InvalidValue',
      ['metadata', 'name'],
      "must consist of lower case letters, digits and '-': its pods have host names that begin with it",
    );
}

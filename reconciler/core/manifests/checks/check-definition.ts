/** CustomResourceDefinition: its name, and its versions. Source: Kubernetes, ValidateCustomResourceDefinition. */
import { resourceName, type CustomResourceDefinition } from '../../../../contracts/objects/index.ts';
import { isBuiltIn } from '../../kinds/custom-definitions.ts';
import { schemaProblems } from '../../structural/schema.ts';
import { KUBERNETES_GROUPS, OWN_GROUP } from '../kubernetes-groups.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

export function checkDefinition({ metadata, spec }: CustomResourceDefinition, { error, warning }: CheckContext): void {
  const { group, names, versions } = spec;
  const resource = resourceName(group, names.plural);
  if (metadata.name !== resource)
    error('InvalidValue', ['metadata', 'name'], `must be spec.names.plural and spec.group: ${resource}`);
  const isClosed = KUBERNETES_GROUPS.has(group) || group === OWN_GROUP;
  // In Kubernetes somebody has to bring it along: repositories have it, and it does no harm.
  if (!isClosed && isBuiltIn({ group, plural: names.plural, kind: names.kind }))
    warning(
      'KindTaken',
      ['spec', 'names', 'kind'],
      `is ${names.kind} of group ${group}, a kind that Plumbline has itself: this definition does nothing`,
      'objects of the kind need none',
    );
  if (isClosed)
    error(
      'KindTaken',
      ['spec', 'group'],
      `${group} is a group of ${group === OWN_GROUP ? 'Plumbline' : 'Kubernetes'} itself`,
      'use a domain of your own',
    );
  versions.forEach(({ schema: { openAPIV3Schema } }, index) => {
    for (const { path, message } of schemaProblems(openAPIV3Schema))
      error('InvalidValue', ['spec', 'versions', index, 'schema', 'openAPIV3Schema', ...path], message);
  });
  eachDuplicate(
    versions,
    ({ name }) => name,
    (_version, name, index) => {
      error('DuplicateName', ['spec', 'versions', index, 'name'], `is ${name} for the second time`);
    },
  );
  const stored = versions.filter(({ storage }) => storage).length;
  if (stored !== 1)
    error('InvalidValue', ['spec', 'versions'], `must have exactly one with storage: true, found ${stored}`);
}

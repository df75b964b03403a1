/** A Namespace's labels that ask something of its pods. */
import type { Namespace } from '../../../../contracts/objects/index.ts';
import { labelProblems, POD_SECURITY_LABELS, POD_SECURITY_PREFIX } from '../../pod-security/policy.ts';
import type { CheckContext } from './context.ts';

export function checkNamespace({ metadata: { labels } }: Namespace, { error, warning, closest }: CheckContext): void {
  for (const { label, message } of labelProblems(labels)) error('InvalidValue', ['metadata', 'labels', label], message);
  for (const label of Object.keys(labels ?? {})) {
    if (!label.startsWith(POD_SECURITY_PREFIX) || POD_SECURITY_LABELS.includes(label)) continue;
    const close = closest(label, () => POD_SECURITY_LABELS);
    warning(
      'UnknownLabel',
      ['metadata', 'labels', label],
      'is none of the labels of Pod Security Standards, and asks nothing of the pods',
      close === undefined ? `the labels: ${POD_SECURITY_LABELS.join(', ')}` : `did you mean ${close}?`,
    );
  }
}

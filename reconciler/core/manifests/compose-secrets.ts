/** Encrypted Secrets against the recipients of the control planes. */
import type { Tell } from './findings.ts';
import type { DesiredState, SealedPart } from './types.ts';

/** Warns of what no control plane will be able to open, where the file says for whom it is. */
export function checkRecipients(sealed: readonly SealedPart[], state: DesiredState, tell: Tell): void {
  if (sealed.length === 0) return;
  const clusters = [...state.values()].flatMap(({ object }) => (object.kind === 'Cluster' ? [object] : []));
  const ours = clusters[0]?.spec.secrets?.recipients ?? [];
  if (ours.length === 0) return;
  for (const { envelope, position } of sealed) {
    const recipients = envelope.files.flatMap(({ recipient }) => recipient ?? []);
    if (recipients.length === 0 || recipients.some((one) => ours.includes(one))) continue;
    tell(
      'warning',
      'RecipientMissing',
      position,
      `is encrypted for ${recipients.join(', ')}, and for no recipient of the Cluster's spec.secrets`,
      'encrypt it for those: plumb secret rotate',
    );
  }
}

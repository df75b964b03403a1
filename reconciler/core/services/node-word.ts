/** What a node's report says of one Service, in a line. */
import type { NetworkReport } from '../../../contracts/agent/index.ts';

export interface WordOfNode {
  /** Its rules are those of all that it was told. */
  readonly inForce: boolean;
  readonly says: string;
}

export function wordOfNode(report: NetworkReport): WordOfNode {
  const { assignmentVersion, networkVersion, networkError, known, forwardings } = report;
  if (networkError !== null)
    return { inForce: false, says: `its rules are of version ${networkVersion ?? 'none'}: ${networkError}` };
  if (networkVersion === null) return { inForce: false, says: 'it has no rules yet' };
  if (!known) return { inForce: false, says: 'it was not told of the Service yet' };
  const targets = forwardings
    .map(({ port, protocol, to, more }) => `${port}/${protocol} to ${targetsText(to, more)}`)
    .join('; ');
  const says = targets === '' ? 'nothing is forwarded' : targets;
  // What is on its way is in force a moment later: no fault.
  return {
    inForce: true,
    says: networkVersion === assignmentVersion ? says : `${says} (a newer version is on its way)`,
  };
}

function targetsText(to: readonly string[], more: number): string {
  if (to.length === 0) return 'nobody';
  return more > 0 ? `${to.join(', ')} and ${more} more` : to.join(', ');
}

/** Which solver of an issuer is for a name. Source: cert-manager, pkg/acme/util and CertificateDNSNameSelector. */
import { labelsInclude, type AcmeSolver } from '../../../contracts/objects/index.ts';

/**
 * One that names it, before one of its zone (the longest), before one for any name; of these the one with the most
 * labels that match, and the first of equals. A wildcard is for DNS-01 alone (RFC 8555, 8.3).
 */
export function solverFor(
  dnsName: string,
  labels: Readonly<Record<string, string>> | undefined,
  solvers: readonly AcmeSolver[],
): AcmeSolver | undefined {
  let best: { readonly solver: AcmeSolver; readonly rank: readonly number[] } | undefined;
  for (const solver of solvers) {
    if (dnsName.startsWith('*.') && !solver.dns01) continue;
    const rank = rankOf(dnsName, labels, solver);
    if (rank && (!best || isHigher(rank, best.rank))) best = { solver, rank };
  }
  return best?.solver;
}

function rankOf(
  dnsName: string,
  labels: Readonly<Record<string, string>> | undefined,
  { selector }: AcmeSolver,
): readonly number[] | undefined {
  if (!selector) return [0, 0, 0];
  const { matchLabels = {}, dnsNames, dnsZones } = selector;
  if (!labelsInclude(labels, matchLabels)) return undefined;
  const count = Object.keys(matchLabels).length;
  if (dnsNames.includes(dnsName)) return [2, 0, count];
  const zones = dnsZones.filter((zone) => dnsName === zone || dnsName.endsWith(`.${zone}`));
  if (zones.length > 0) return [1, Math.max(...zones.map((zone) => zone.split('.').length)), count];
  return dnsNames.length === 0 && dnsZones.length === 0 ? [0, 0, count] : undefined;
}

function isHigher(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
}

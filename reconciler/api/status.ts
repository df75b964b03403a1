/** The status report: pure, from the store's view. */
import { findCondition, internalIP, objectKey, type StoredSource } from '../../contracts/objects/index.ts';
import { DRAINED } from '../core/health/drain.ts';
import { recordOf } from '../core/revisions/history.ts';
import { customSourceObjects, reportHealth, sourceObjects, unhealthySentences } from '../core/revisions/health.ts';
import { followedWords, type Followed } from '../core/sources/follow.ts';
import type { StoreView } from '../controllers/runtime/controller.ts';
import type { ControlPlaneInfo, NodeReport, StatusReport } from './types.ts';

/** What the branch points at, asked just now. */
export type HeadAnswer = { readonly sha: string } | { readonly problem: string };

export interface StatusInput {
  readonly view: StoreView;
  readonly sourceName: string;
  readonly url: string;
  readonly follows: Followed;
  readonly head: HeadAnswer;
  readonly controlPlane: ControlPlaneInfo;
  /** Why the live state cannot be read or written now: what is shown is what was known last. */
  readonly storeProblem: string | undefined;
}

const APPLIED: ReadonlySet<string> = new Set(['Applied', 'Healthy']);

export function nodeReport(view: StoreView, name: string): NodeReport | undefined {
  const node = view.get(objectKey('Node', undefined, name));
  const machine = view.get(objectKey('Machine', undefined, name));
  if (!node && !machine) return undefined;
  const problem = machine?.status?.conditions?.find((c) => c.status !== 'True');
  const ready = findCondition(node?.status?.conditions, 'Ready');
  const drained = findCondition(node?.status?.conditions, DRAINED);
  const said = ready?.status === 'True' ? ready : (problem ?? ready);
  return {
    name,
    address: machine
      ? `${machine.spec.user}@${machine.spec.address}:${machine.spec.port}`
      : ((node && internalIP(node)) ?? ''),
    ready: ready?.status ?? 'Unknown',
    reason: said?.reason ?? 'NotJoined',
    message: said?.message ?? 'has not reported yet',
    unschedulable: node?.spec.unschedulable ?? machine?.spec.unschedulable ?? false,
    ...(drained && { drain: drained.status === 'True' ? 'drained' : `draining: ${drained.message ?? ''}` }),
    pods: view.podsOnNode(name).length,
  };
}

function nodeReports(view: StoreView): NodeReport[] {
  const names = new Set([...view.list('Machine'), ...view.list('Node')].map((o) => o.metadata.name));
  return [...names].sort().flatMap((name) => nodeReport(view, name) ?? []);
}

/** Why the newest revision is not in force; undefined when it is. */
function syncProblem(source: StoredSource | undefined, head: HeadAnswer): string | undefined {
  const status = source?.status;
  if ('problem' in head) return head.problem;
  if (status?.observedRevision !== head.sha) return `commit ${head.sha.slice(0, 12)} has not been looked at yet`;
  const record = recordOf(status, head.sha);
  if (status.appliedRevision === head.sha && (record === undefined || APPLIED.has(record.outcome))) return undefined;
  const what =
    record?.outcome === 'Refused'
      ? 'was refused'
      : record?.outcome === 'Failed'
        ? 'could not be applied'
        : 'is being applied';
  return `commit ${head.sha.slice(0, 12)} ${what}${record?.message === undefined ? '' : `: ${record.message}`}`;
}

export function statusReport(input: StatusInput): StatusReport {
  const { view, head } = input;
  const source = view.get(objectKey('Source', undefined, input.sourceName));
  const objects = [...sourceObjects(view, input.sourceName), ...customSourceObjects(view.custom, input.sourceName)].map(
    (object) => reportHealth(object, view),
  );
  const problem = syncProblem(source, head);
  const unhealthy = [...(input.storeProblem === undefined ? [] : [input.storeProblem]), ...unhealthySentences(objects)];
  const status = source?.status;
  const newest = status?.observedRevision === undefined ? undefined : recordOf(status, status.observedRevision);
  return {
    source: {
      name: input.sourceName,
      url: input.url,
      ...('branch' in input.follows && { branch: input.follows.branch }),
      follows: followedWords(input.follows),
      conditions: status?.conditions ?? [],
      ...('sha' in head ? { head: head.sha } : { headError: head.problem }),
      ...(status?.observedRevision !== undefined && { observedRevision: status.observedRevision }),
      ...(status?.appliedRevision !== undefined && { appliedRevision: status.appliedRevision }),
      ...(newest && { newest }),
      ...(status?.kept && { kept: status.kept }),
      ...(status?.sources && { sources: status.sources }),
    },
    synced: problem === undefined,
    healthy: unhealthy.length === 0,
    objects,
    nodes: nodeReports(view),
    missing: [...(problem === undefined ? [] : [problem]), ...unhealthy],
    controlPlane: input.controlPlane,
  };
}

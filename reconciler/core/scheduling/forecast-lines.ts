/** A forecast for people, in lines of plain text. */
import type { ObjectKey } from '../../../contracts/objects/index.ts';
import { parseKey } from '../../../contracts/objects/index.ts';
import type { Forecast, NodeShare, Share, Unplaced } from './simulate.ts';
import { count, nodeNames, verdictLines } from './verdict-lines.ts';

/** Nodes whose shares are told. */
const NODES = 10;

/** `3 pods get a place, 1 would not fit`, and on what that was worked out. */
export function forecastSummary({ placements, unplaced, preempted, capacity }: Forecast): string {
  const placed = placements.reduce((sum, { pods }) => sum + pods, 0);
  const left = unplaced.reduce((sum, { pods }) => sum + pods, 0);
  return [
    `${pods(placed)} ${placed === 1 ? 'gets' : 'get'} a place`,
    ...(preempted.length > 0 ? [`${pods(preempted.length)} would be preempted`] : []),
    ...(left > 0 ? [`${count(left)} would not fit`] : []),
  ].join(', ') + ` (on the present state of ${count(capacity.length)} ${capacity.length === 1 ? 'node' : 'nodes'})`;
}

/** Where pods go and who leaves for them, then what is wrong, then what becomes of the nodes. */
export function forecastLines({ placements, unplaced, preempted, crowdedStarts, capacity, stillWaiting, joining }: Forecast): string[] {
  const changed = capacity.filter(({ cpu, memory }) => isChanged(cpu) || isChanged(memory));
  return [
    ...placements.map(({ workload, nodes }) => `${shown(workload)}: ${nodeNames(nodes.map(({ node, pods: n }) => `${node} x${n}`))}`),
    ...preempted.map(({ victim, node, by }) => `preempted: ${shown(victim)} on ${node}, by ${shown(by)}`),
    ...unplaced.flatMap((refused) => warning(`${of(refused)} would not fit`, refused)),
    ...crowdedStarts.flatMap((start) => {
      const update = `the update of ${shown(start.workload)}`;
      if (start.standsStill) return warning(`${update} would stand still at its start: no new pod fits beside the old ones, and none of those may go before (maxUnavailable)`, start);
      return [`warning: ${update} starts short of room: ${count(start.pods)} of ${pods(start.of)} would not fit beside the old ones until some of those are gone: ${start.message}`];
    }),
    ...(stillWaiting > 0 ? [`${pods(stillWaiting)} that ${stillWaiting === 1 ? 'waits' : 'wait'} for a node already would go on waiting`] : []),
    ...joining.map((node) => `${node} is new: what room it has is not known before it joined, so nothing is placed on it here`),
    ...changed.slice(0, NODES).map(nodeLine),
    ...(changed.length > NODES ? [`and ${count(changed.length - NODES)} more nodes change`] : []),
  ];
}

function warning(what: string, { message, verdicts }: Unplaced): string[] {
  return [`warning: ${what}: ${message}`, ...verdictLines(verdicts).map((line) => `  ${line}`)];
}

function of({ workload, pods: some, of: all }: Unplaced): string {
  return parseKey(workload).kind === 'Pod' ? shown(workload) : `${count(some)} of ${pods(all)} of ${shown(workload)}`;
}

function nodeLine({ node, cpu, memory }: NodeShare): string {
  return `${node}: cpu ${change(cpu)}, memory ${change(memory)}`;
}

function change(share: Share): string {
  const percent = (used: number): string => (share.allocatable > 0 ? `${Math.round((100 * used) / share.allocatable)}%` : 'none');
  return isChanged(share) ? `${percent(share.before)} -> ${percent(share.after)}` : percent(share.after);
}

function isChanged({ before, after }: Share): boolean {
  return before !== after;
}

function pods(n: number): string {
  return `${count(n)} ${n === 1 ? 'pod' : 'pods'}`;
}

/** `Deployment/default/web`, and `Node/web` for kinds without a namespace. */
function shown(key: ObjectKey): string {
  return key.replace('//', '/');
}

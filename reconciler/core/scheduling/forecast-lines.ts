/** A forecast for people, in lines of plain text. */
import { displayKey, parseKey } from '../../../contracts/objects/index.ts';
import type { Unplaced } from './attempt.ts';
import type { Forecast, NodeShare, Share, TightRollout } from './simulate.ts';
import { count, nodeNames, verdictLines } from './verdict-lines.ts';

/** Nodes whose shares are told. */
const NODES = 10;

/** `3 pods get a place, 1 would not fit`, and on what that was worked out. */
export function forecastSummary({ placements, unplaced, preempted, capacity }: Forecast): string {
  const placed = placements.reduce((sum, { pods }) => sum + pods, 0);
  const left = unplaced.reduce((sum, { pods }) => sum + pods, 0);
  return (
    [
      placed === 0 ? 'no pod gets a place' : `${pods(placed)} ${placed === 1 ? 'gets' : 'get'} a place`,
      ...(preempted.length > 0 ? [`${pods(preempted.length)} would be preempted`] : []),
      ...(left > 0 ? [`${count(left)} would not fit`] : []),
    ].join(', ') + ` (on the present state of ${count(capacity.length)} ${capacity.length === 1 ? 'node' : 'nodes'})`
  );
}

/** Where pods go and who leaves for them, then what is wrong, then what becomes of the nodes. */
export function forecastLines({
  placements,
  unplaced,
  preempted,
  rollouts,
  capacity,
  stillWaiting,
  joining,
  limits = [],
}: Forecast): string[] {
  const still = new Set(rollouts.flatMap(({ workload, oldLeft }) => (oldLeft > 0 ? [workload] : [])));
  const changed = capacity.filter(({ cpu, memory }) => isChanged(cpu) || isChanged(memory));
  return [
    ...placements.map(
      ({ workload, nodes }) =>
        `${displayKey(workload)}: ${nodeNames(nodes.map(({ node, pods: n }) => `${node} x${n}`))}`,
    ),
    ...preempted.map(({ victim, node, by }) => `preempted: ${displayKey(victim)} on ${node}, by ${displayKey(by)}`),
    ...unplaced.flatMap((refused) =>
      still.has(refused.workload) ? [] : warning(`${of(refused)} would not fit`, refused),
    ),
    ...rollouts.flatMap(rolloutLines),
    ...(stillWaiting > 0
      ? [`${pods(stillWaiting)} that ${stillWaiting === 1 ? 'waits' : 'wait'} for a node already would go on waiting`]
      : []),
    ...joining.map(
      (node) => `${node} is new: what room it has is not known before it joined, so nothing is placed on it here`,
    ),
    ...limits.map((limit) => `not foretold: ${limit}`),
    ...changed.slice(0, NODES).map(nodeLine),
    ...(changed.length > NODES ? [`and ${count(changed.length - NODES)} more nodes change`] : []),
  ];
}

function rolloutLines(rollout: TightRollout): string[] {
  const { workload, oldLeft, pods: some, of: all, message } = rollout;
  const short = `${count(some)} of ${count(all)} new ${all === 1 ? 'pod gets' : 'pods get'} no node beside`;
  if (oldLeft > 0)
    return warning(
      `the update of ${displayKey(workload)} would stand still with ${count(oldLeft)} old ${oldLeft === 1 ? 'pod' : 'pods'} left: ${short} ${oldLeft === 1 ? 'it' : 'them'}`,
      rollout,
    );
  return [
    `at the start of the update of ${displayKey(workload)} ${short} the old ones, until some of those are gone: ${message}`,
  ];
}

function warning(what: string, { message, verdicts }: Unplaced): string[] {
  return [`warning: ${what}: ${message}`, ...verdictLines(verdicts).map((line) => `  ${line}`)];
}

function of({ workload, pods: some, of: all }: Unplaced): string {
  return parseKey(workload).kind === 'Pod'
    ? displayKey(workload)
    : `${count(some)} of ${pods(all)} of ${displayKey(workload)}`;
}

function nodeLine({ node, cpu, memory }: NodeShare): string {
  if (cpu.allocatable + memory.allocatable === 0) return `${node}: is removed`;
  return `${node}: cpu ${change(cpu)}, memory ${change(memory)}`;
}

function change(share: Share): string {
  const percent = (used: number): string =>
    share.allocatable > 0 ? `${Math.round((100 * used) / share.allocatable)}%` : 'none';
  return isChanged(share) ? `${percent(share.before)} -> ${percent(share.after)}` : percent(share.after);
}

function isChanged({ before, after }: Share): boolean {
  return before !== after;
}

function pods(n: number): string {
  return `${count(n)} ${n === 1 ? 'pod' : 'pods'}`;
}

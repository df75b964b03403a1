/** Why a pod has its node, or none, as links of `plumb explain`. */
import type {
  PlacedPod,
  PlacementExplanation,
  QueueSituation,
  WaitingPod,
} from '../../reconciler/core/scheduling/explain.ts';
import { verdictLines } from '../../reconciler/core/scheduling/verdict-lines.ts';
import { age } from '../../reconciler/core/kinds/columns.ts';
import { table } from './table.ts';

/** Name and text of each link; a text may have several lines. */
export function placementLinks(placement: PlacementExplanation, now: Date): [string, string][] {
  return placement.is === 'waiting' ? waitingLinks(placement, now) : [['placement', placedText(placement)]];
}

function waitingLinks(
  { message, lastTold, verdicts, queue, nominatedNode }: WaitingPod,
  now: Date,
): [string, string][] {
  return [
    [
      'placement',
      [
        message,
        ...verdictLines(verdicts),
        ...(lastTold === undefined ? [] : [`when it was tried last: ${lastTold}`]),
      ].join('\n'),
    ],
    ...(nominatedNode === undefined
      ? []
      : [['nominated', `${nominatedNode}: room is kept for it there`] satisfies [string, string]]),
    ...(queue ? [['queue', queueText(queue, now)] satisfies [string, string]] : []),
  ];
}

function queueText(
  { part, attempts, waitsFor, roomOn, since, lastTried, nextTryBy }: QueueSituation,
  now: Date,
): string {
  const tried =
    lastTried === undefined
      ? 'not tried yet'
      : `tried ${attempts === 1 ? 'once' : `${attempts} times`}, last ${age(lastTried, now)} ago`;
  const next = nextTryBy === undefined ? '' : age(now.toISOString(), new Date(nextTryBy));
  const change = waitsFor.length === 0 ? 'any change' : `a change that ${waitsFor.join(' or ')} looks at`;
  return `${partText(part, roomOn === undefined ? change : `pods to leave ${roomOn}`, next)}; there for ${age(since, now)}, ${tried}`;
}

function partText(part: QueueSituation['part'], help: string, next: string): string {
  switch (part) {
    case 'active':
      return 'active: it is tried as soon as it is its turn';
    case 'trying':
      return 'it is being tried now';
    case 'backoff':
      return `backing off: tried again in ${next}`;
    case 'gated':
      return 'gated: not tried while the gate holds';
    case 'unschedulable':
      return `unschedulable: waits for ${help}; tried again in ${next} at the latest`;
  }
}

function placedText({ node, nodes, available, ranking, refusedNow }: PlacedPod): string {
  const own = ranking.find((ranked) => ranked.own);
  const verdict =
    refusedNow && `${node} would not have it again: ${refusedNow.reasons.map(({ detail }) => detail).join('; ')}`;
  const plugins = [
    ...new Set(ranking.flatMap((ranked) => ranked.plugins.map(({ plugin, weight }) => `${plugin} x${weight}`))),
  ];
  const rows = ranking.map((ranked) => [
    String(ranked.rank),
    `${ranked.node}${ranked.own ? ' (its node)' : ''}`,
    points(ranked.total),
    ...plugins.map((name) => {
      const found = ranked.plugins.find(({ plugin, weight }) => `${plugin} x${weight}` === name);
      return found ? points(found.score * found.weight) : '-';
    }),
  ]);
  return [
    `if it were placed again now, ${available} of ${nodes} nodes would have it${own ? `, and ${node} would be ${own.rank === 1 ? 'the best' : `number ${own.rank}`}` : ''}`,
    ...(verdict === undefined ? [] : [verdict]),
    'from the present state of the cluster; it may have been another when the pod was bound',
    ...(rows.length > 0 ? table(['RANK', 'NODE', 'TOTAL', ...plugins], rows).split('\n') : []),
  ].join('\n');
}

function points(score: number): string {
  return score.toFixed(1);
}

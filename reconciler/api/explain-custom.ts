/** The explain report of an object of a custom kind: from its commit to what its controller says of it. */
import { readKey, type Condition, type CustomKind } from '../../contracts/objects/index.ts';
import { ORIGIN_ANNOTATION } from '../core/diff/types.ts';
import { conditionsOf } from '../core/kinds/custom.ts';
import { reportHealth } from '../core/revisions/health.ts';
import { commitOf, firstBrokenLink, involvedKey, shownEvents, type ExplainInput } from './explain.ts';
import { askedKey } from './objects.ts';
import type { ExplainReport } from './types.ts';

export interface ExplainCustomInput extends Omit<ExplainInput, 'kind'> {
  readonly kind: CustomKind;
}

export function explainCustom({ view, sourceName, kind, namespace, name }: ExplainCustomInput): ExplainReport {
  const key = askedKey(kind, namespace, name);
  const object = key && view.custom.get(key);
  const origin = object?.metadata.annotations?.[ORIGIN_ANNOTATION];
  const commit = commitOf({ view, sourceName });
  const events = view
    .list('Event')
    .filter(({ involvedObject }) => key !== undefined && involvedKey(involvedObject, view.custom.kinds) === key);
  const shown = shownEvents(events);
  const draft: ExplainReport = {
    object: { kind: kind.kind, namespace: kind.namespaced ? namespace : '', name },
    found: object !== undefined,
    ...(commit && { commit }),
    ...(origin !== undefined && { origin }),
    ...(object && { health: reportHealth(object, view) }),
    owners: (object?.metadata.ownerReferences ?? []).map((owner) => `${owner.kind} ${owner.name}`),
    conditions: object ? conditionsOf(object).map(conditionWords) : [],
    events: shown,
    pods: [],
    more: { pods: 0, events: events.length - shown.length },
    children: [],
  };
  const broken = firstBrokenLink(draft);
  return broken === undefined ? draft : { ...draft, broken };
}

/** Whoever wrote it is held to no shape. */
function conditionWords(condition: Readonly<Record<string, unknown>>): Condition {
  const text = (name: string): string | undefined => {
    const value = readKey(condition, name);
    return typeof value === 'string' ? value : undefined;
  };
  const [status, reason, message] = [text('status'), text('reason'), text('message')];
  return {
    type: text('type') ?? '',
    status: status === 'True' || status === 'False' ? status : 'Unknown',
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  };
}

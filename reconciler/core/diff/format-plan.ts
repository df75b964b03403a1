/** How a plan is shown: for people, for a pull request, for programs. Secrets' values are in none of them. */
import { displayKey, isCustom, kindKey, type AnyObject, type ObjectKey } from '../../../contracts/objects/index.ts';
import { forecastLines, forecastSummary } from '../scheduling/forecast-lines.ts';
import type { Forecast } from '../scheduling/simulate.ts';
import { descriptorOf } from '../kinds/index.ts';
import { redacted, redactedAt } from '../kinds/sealed.ts';
import { pointerPath } from './diff-objects.ts';
import { changedFields, configChange, type FieldChange } from './field-changes.ts';
import { itemsInOrder } from './plan-sync.ts';
import type { PlannedHook } from './planned-hooks.ts';
import type { AnyPlanItem, Conflict, Kept, Plan } from './types.ts';

export type PlanFormat = 'text' | 'markdown' | 'json';

/**
 * The plan as text without a newline at its end, with where its pods would go. The JSON form is one object and stable.
 */
export function formatPlan(plan: Plan, format: PlanFormat, forecast?: Forecast): string {
  switch (format) {
    case 'text':
      return isEmpty(plan)
        ? 'no changes'
        : [
            ...itemsInOrder(plan).map(textItem),
            ...plan.kept.map(textKept),
            ...plan.hooks.map(textHook),
            ...(forecast ? textForecast(forecast) : []),
            '',
            summary(plan),
          ].join('\n');
    case 'markdown':
      return [markdownPlan(plan), ...(forecast ? markdownForecast(forecast) : [])].join('\n');
    case 'json':
      return JSON.stringify({ ...jsonPlan(plan), ...(forecast && { placement: jsonForecast(forecast) }) }, null, 2);
  }
}

function isEmpty({ items, custom, kept, hooks }: Plan): boolean {
  return items.length + custom.length + kept.length + hooks.length === 0;
}

function textHook({ desired: { key }, phase }: PlannedHook): string {
  return `> ${displayKey(key)} (${phase === 'SyncFail' ? 'hook, run where the sync fails' : `${phase} hook, run`})`;
}

function textKept({ key, by }: Kept): string {
  return `= ${displayKey(key)} (in no manifest, kept: ${by})`;
}

function textForecast(forecast: Forecast): string[] {
  return ['', `Placement: ${forecastSummary(forecast)}`, ...forecastLines(forecast).map((line) => `  ${line}`)];
}

function markdownForecast(forecast: Forecast): string[] {
  return ['', `**Placement:** ${forecastSummary(forecast)}`, '', ...fenced('text', forecastLines(forecast))];
}

const SIGN = { create: '+', update: '~', delete: '-' } as const;

function summary({ counts }: Plan): string {
  return `Plan: ${counts.create} to create, ${counts.update} to update, ${counts.delete} to delete.`;
}

function textItem(item: AnyPlanItem): string {
  const head = `${SIGN[item.action]} ${displayKey(item.key)}`;
  if (item.action !== 'update') return head;
  const notes = [
    ...(item.reason === 'drift' ? ['drift: the live object was changed by someone else'] : []),
    ...(inPlace(item) ?? []),
  ];
  return [
    `${head}${notes.map((note) => ` (${note})`).join('')}`,
    ...changedFields(item).map((change) => `    ${changeLine(change)}`),
    ...(item.conflicts ?? []).map((conflict) => `    ${conflictLine(conflict)}`),
  ].join('\n');
}

/** What the update does to a pod that runs. */
function inPlace({ before, object }: Extract<AnyPlanItem, { action: 'update' }>): readonly string[] | undefined {
  if (isCustom(object) || isCustom(before)) return undefined;
  const { podTemplate } = descriptorOf(object.kind);
  const note = podTemplate === 'none' ? undefined : podTemplate.inPlace?.(before, object);
  return note === undefined ? undefined : [note];
}

function conflictLine({ field, owner, writes }: Conflict): string {
  return `conflict: ${field} is owned by ${owner}; Git writes ${shown(writes)}`;
}

const MAX_SHOWN = 120;

function changeLine(change: FieldChange): string {
  const config = configChange(change);
  if (config) return CONFIG_LINES[config];
  const { field, from, to } = change;
  if (from === undefined) return `${field}: + ${shown(to)}`;
  if (to === undefined) return `${field}: - ${shown(from)}`;
  return `${field}: ${shown(from)} -> ${shown(to)}`;
}

/** The hash itself says nothing to people. */
const CONFIG_LINES = {
  noted: 'what its pods read of ConfigMaps and Secrets is noted from now on; they stay',
  unnoted: 'what its pods read of ConfigMaps and Secrets is no longer noted; they stay',
  replaced: 'its pods are replaced: what they read of ConfigMaps and Secrets changes',
} as const;

/** One line; long values are cut. */
function shown(value: unknown): string {
  const text =
    typeof value === 'string' && /^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(value) ? value : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}

function markdownPlan(plan: Plan): string {
  if (isEmpty(plan)) return '**Plumbline plan:** no changes';
  const told = [...itemsInOrder(plan).map(textItem), ...plan.kept.map(textKept), ...plan.hooks.map(textHook)];
  const lines = told.join('\n').split('\n');
  return [
    `**Plumbline plan:** ${summary(plan).replace(/^Plan: /, '')}`,
    '',
    ...fenced('diff', lines.map(diffLine)),
  ].join('\n');
}

/** A fence longer than any run of backquotes inside, so that no value can end it. */
function fenced(language: string, lines: readonly string[]): string[] {
  const longest = Math.max(2, ...lines.flatMap((line) => line.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}${language}`, ...lines, fence];
}

/** A diff block colours lines that start with + or -; updates have no sign of their own there. */
function diffLine(line: string): string {
  return line.startsWith('~') ? `!${line.slice(1)}` : line;
}

interface JsonItem {
  readonly action: AnyPlanItem['action'];
  readonly key: string;
  readonly file?: string;
  readonly line?: number;
  readonly reason?: 'commit' | 'drift';
  /** What it does to a pod that runs: `resized in place`. */
  readonly note?: string;
  readonly changes?: readonly FieldChange[];
  readonly conflicts?: readonly Conflict[];
  readonly patch?: readonly unknown[];
  readonly object?: AnyObject;
}

function jsonPlan(plan: Plan): object {
  const kept = plan.kept.map(({ key, by }) => ({ key: kindKey(key), by }));
  const hooks = plan.hooks.map(({ desired: { key, position }, phase }) => ({
    key: kindKey(key),
    phase,
    file: position.file,
    line: position.line,
  }));
  return {
    counts: plan.counts,
    items: itemsInOrder(plan).map(jsonItem),
    ...(kept.length > 0 && { kept }),
    ...(hooks.length > 0 && { hooks }),
  };
}

function jsonItem(item: AnyPlanItem): JsonItem {
  const { action } = item;
  const key = kindKey(item.key);
  if (item.action === 'delete') return { action, key };
  const { file, line } = item.position;
  if (item.action === 'create')
    return { action, key, file, line, object: isCustom(item.object) ? item.object : redacted(item.object) };
  const { reason, conflicts } = item;
  const changes = changedFields(item);
  const [note] = inPlace(item) ?? [];
  return {
    action,
    key,
    file,
    line,
    reason,
    ...(note !== undefined && { note }),
    changes,
    ...(conflicts && { conflicts }),
    patch: redactedPatch(item),
  };
}

function jsonForecast({ placements, preempted, unplaced, rollouts, ...rest }: Forecast): object {
  const told = <T extends { readonly workload: ObjectKey }>(of: T): object => ({
    ...of,
    workload: kindKey(of.workload),
  });
  return {
    placements: placements.map(told),
    preempted: preempted.map((one) => ({ ...one, victim: kindKey(one.victim), by: kindKey(one.by) })),
    unplaced: unplaced.map(told),
    rollouts: rollouts.map(told),
    ...rest,
  };
}

/** Nobody says what of a custom object is secret. */
function redactedPatch({ object, patch }: Extract<AnyPlanItem, { action: 'update' }>): readonly unknown[] {
  if (isCustom(object)) return patch;
  const { kind } = object;
  return patch.map((o) => ('value' in o ? { ...o, value: redactedAt(kind, pointerPath(o.path), o.value) } : o));
}

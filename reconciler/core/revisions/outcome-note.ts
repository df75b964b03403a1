/**
 * What became of a revision, as a Git note on its commit: lines for people, then trailers (git-interpret-trailers(1)). Only
 * what conditions say goes in, and nothing that a container wrote: who may read a repository may read its notes.
 */
import { isKind, type FailedContainer, type RevisionRecord } from '../../../contracts/objects/index.ts';
import { shownText } from './history.ts';

/** Notes of ours: `git log --notes=plumbline`. */
export const NOTES_REF = 'refs/notes/plumbline';

/** Lines of one note that say why, and characters of each. */
const MAX_LINES = 12;
const MAX_LINE = 300;
const SECOND_MS = 1000;

/** The first word says the outcome: so a note of ours is known. */
const OUTCOMES: ReadonlySet<string> = new Set<Exclude<RevisionRecord['outcome'], 'Syncing'>>([
  'Applied',
  'Healthy',
  'Refused',
  'Failed',
  'Superseded',
  'Degraded',
]);

/** Undefined for a revision that has no outcome yet. The same record gives the same bytes; at most 16 KiB. */
export function outcomeNote(record: RevisionRecord, sourceName: string): string | undefined {
  if (record.outcome === 'Syncing') return undefined;
  const why = reasons(record);
  const shown = why.length > MAX_LINES ? [...why.slice(0, MAX_LINES), `and ${why.length - MAX_LINES} more`] : why;
  const { counts } = record;
  const trailers: readonly (readonly [string, string | number | undefined])[] = [
    ['Outcome', record.outcome],
    ['Seen', record.seenAt],
    ['Finished', record.finishedAt],
    ['Created', counts?.create],
    ['Updated', counts?.update],
    ['Deleted', counts?.delete],
    ['Source', line(sourceName)],
  ];
  return [
    headline(record),
    '',
    ...shown.map((text) => `  ${line(text)}`),
    ...(shown.length > 0 ? [''] : []),
    ...trailers.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`])),
    '',
  ].join('\n');
}

function headline({ outcome, seenAt, finishedAt, counts, message }: RevisionRecord): string {
  const took = finishedAt === undefined ? Number.NaN : (Date.parse(finishedAt) - Date.parse(seenAt)) / SECOND_MS;
  const when = Number.isNaN(took) || took < 0 ? '' : ` ${took.toFixed(1)} s after it was seen`;
  const replaced = /^(?:replaced|overtaken) by [0-9a-f]+/.exec(message ?? '')?.[0];
  if (replaced !== undefined) return `${outcome}: ${replaced}`;
  const changes = counts && `: ${counts.create} created, ${counts.update} updated, ${counts.delete} deleted`;
  return `${outcome}${when}${outcome === 'Refused' ? ': nothing of it is in force' : (changes ?? '')}`;
}

/** Why it was refused, failed or was not well, and what was seen of its containers. */
function reasons({ outcome, message, postMortem }: RevisionRecord): string[] {
  if (postMortem) return [...postMortem.causes.map(cause), ...postMortem.containers.map(container)];
  return outcome === 'Superseded' || message === undefined ? [] : message.split('\n');
}

/** What is said of a custom kind is somebody else's text, of which nobody knows what is in it. */
function cause(sentence: string): string {
  const [, short, kind = ''] = /^((\S+) \S+ is \w+): /.exec(sentence) ?? [];
  return short === undefined || isKind(kind) ? sentence : short;
}

/** Without its last words. */
function container({ pod, container: name, reason, exitCode, restarts }: FailedContainer): string {
  const code = exitCode === undefined ? '' : `, exit code ${exitCode}`;
  return `container ${name} of pod ${pod}: ${reason}${code}, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`;
}

function line(text: string): string {
  const shown = shownText(text).replaceAll(/\s+/g, ' ').trim();
  return shown.length > MAX_LINE ? `${shown.slice(0, MAX_LINE - 1)}…` : shown;
}

/**
 * The note with `ours` in the place of what an earlier look left, and what others added after it; undefined where what is
 * there may stay. A record that the store's loss has left without its numbers replaces none that has them.
 */
export function mergedNote(before: string | undefined, ours: string, record: RevisionRecord): string | undefined {
  if (before === undefined) return ours;
  const { outcome, theirs } = divided(before);
  const knowsLess = record.counts === undefined && record.outcome !== 'Refused' && record.outcome !== 'Failed';
  const isAsGood = outcome === record.outcome || (outcome === 'Healthy' && record.outcome === 'Applied');
  if (knowsLess && isAsGood) return undefined;
  const merged = theirs === '' ? ours : `${ours}\n${theirs}\n`;
  return merged === before ? undefined : merged;
}

/** A note's outcome, where it is one of ours, and what else is in it. */
function divided(note: string): { readonly outcome?: string; readonly theirs: string } {
  const end = /^Outcome: (\w+)\n(?:[A-Z][a-z]+: [^\n]*\n)*?Source: [^\n]*(?:\n|$)/m.exec(note);
  const first = /^\w+/.exec(note)?.[0] ?? '';
  if (!end?.[1] || !OUTCOMES.has(first)) return { theirs: note.trim() };
  return { outcome: end[1], theirs: note.slice(end.index + end[0].length).trim() };
}

/**
 * Where the note of a commit is among the files of a notes ref, at whichever depth git has put it; undefined where there is
 * none. Source: git's notes.c, "fanout".
 */
export function notePaths(files: Iterable<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const path of files) {
    const sha = path.replaceAll('/', '');
    if (/^[0-9a-f]{40}$/.test(sha) && /^(?:[0-9a-f]{2}\/)*[0-9a-f]+$/.test(path)) found.set(sha, path);
  }
  return found;
}

/** Where a new one is put: no tree grows large. */
export function newNotePath(sha: string): string {
  return `${sha.slice(0, 2)}/${sha.slice(2)}`;
}

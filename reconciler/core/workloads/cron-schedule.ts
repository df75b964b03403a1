/**
 * Schedules of CronJobs: the syntax, which Kubernetes takes from robfig/cron v3 (ParseStandard of parser.go), and the
 * slots of one, which are the minutes whose wall clock has what the schedule says (spec.go). So where clocks go forward
 * the slots of the hour that is skipped do not come, and where they go back those of the doubled hour come twice.
 */
import { readKey } from '../../../contracts/objects/index.ts';
import { lastMatch, nextMatch, TimeZone, type Fields } from './wall-clock.ts';

export interface CronSchedule {
  /** The first slot after that moment; undefined where there is none within five years. */
  next(after: Date): Date | undefined;
  /** The last slot after `after` that is not after `until`. */
  last(after: Date, until: Date): Date | undefined;
}

/** What is wrong with the text, to follow the field's name. */
export interface BadSchedule {
  readonly problem: string;
}

interface Bounds {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Words for values, from the first one on. */
  readonly words: readonly string[];
}

const BOUNDS: readonly Bounds[] = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of month', min: 1, max: 31, words: [] },
  {
    name: 'month',
    min: 1,
    max: 12,
    words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of week', min: 0, max: 6, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const EVERY = '@every ';
/** Much more than a schedule needs: each list has 60 entries at most. */
const MOST_CHARACTERS = 1024;

export function isBad(schedule: CronSchedule | BadSchedule): schedule is BadSchedule {
  return 'problem' in schedule;
}

/** Reads a schedule, which is in that time zone ({@link isTimeZone}). */
export function cronSchedule(text: string, timeZone: string): CronSchedule | BadSchedule {
  if (text.trim() === '') return { problem: 'must not be empty' };
  if (text.length > MOST_CHARACTERS) return { problem: `must be no more than ${MOST_CHARACTERS} characters` };
  if (text.includes('TZ')) return { problem: 'cannot have TZ or CRON_TZ: the time zone is in spec.timeZone' };
  if (text.startsWith(EVERY)) return everySchedule(text.slice(EVERY.length));
  if (text.startsWith('@') && !Object.hasOwn(DESCRIPTORS, text))
    return { problem: `has no such descriptor: ${text}; there are ${Object.keys(DESCRIPTORS).join(', ')} and @every` };
  const words = (readKey(DESCRIPTORS, text) ?? text).trim().split(/\s+/);
  if (words.length !== BOUNDS.length)
    return {
      problem: `must have ${BOUNDS.length} fields (minute, hour, day of month, month, day of week), has ${words.length}`,
    };
  const sets: ReadonlySet<number>[] = [];
  for (const [i, bounds] of BOUNDS.entries()) {
    const set = readField(words[i] ?? '', bounds);
    if (typeof set === 'string') return { problem: `${bounds.name}: ${set}` };
    sets.push(set);
  }
  const [minutes, hours, daysOfMonth, months, daysOfWeek] = sets as [Values, Values, Values, Values, Values];
  return fieldSchedule({ minutes, hours, matchesDay: dayMatch(words, daysOfMonth, months, daysOfWeek) }, timeZone);
}
type Values = ReadonlySet<number>;

function fieldSchedule(fields: Fields, timeZone: string): CronSchedule {
  const zone = new TimeZone(timeZone);
  return {
    next: (after) => nextMatch(fields, zone, after),
    last: (after, until) => lastMatch(fields, zone, after, until),
  };
}

/** Where both days are restricted, either is enough; a step makes a restriction of `*`. Source: spec.go, dayMatches. */
function dayMatch(
  words: readonly string[],
  daysOfMonth: Values,
  months: Values,
  daysOfWeek: Values,
): Fields['matchesDay'] {
  const either = !hasStar(words[2] ?? '') && !hasStar(words[4] ?? '');
  return ({ month, day, weekday }) => {
    if (!months.has(month)) return false;
    const [byMonth, byWeek] = [daysOfMonth.has(day), daysOfWeek.has(weekday)];
    return either ? byMonth || byWeek : byMonth && byWeek;
  };
}

function hasStar(word: string): boolean {
  return word.split(',').some((part) => /^[*?](\/0*1)?$/.test(part));
}

/** The values of a field, or what is wrong with it. */
function readField(word: string, bounds: Bounds): Values | string {
  const values = new Set<number>();
  for (const part of word.split(',')) {
    const range = readRange(part, bounds);
    if (typeof range === 'string') return range;
    for (let value = range.first; value <= range.last; value += range.step) values.add(value);
  }
  return values;
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** `*`, `?`, `A`, `A-B`, each perhaps with `/STEP`; `A/STEP` goes to the end. */
function readRange(part: string, bounds: Bounds): Range | string {
  const found = /^(?:(?<star>[*?])|(?<from>\w+)(?:-(?<to>\w+))?)(?:\/(?<step>\d+))?$/.exec(part);
  if (!found?.groups) return `cannot be read: ${part === '' ? 'an entry is empty' : part}`;
  const { star, from, to, step: stepText } = found.groups;
  const step = stepText === undefined ? 1 : Number(stepText);
  const first = star === undefined ? valueOf(from ?? '', bounds) : bounds.min;
  const last =
    star !== undefined || (to === undefined && stepText !== undefined) ? bounds.max : valueOf(to ?? from ?? '', bounds);
  if (first === undefined || last === undefined) return `cannot be read: ${part}`;
  if (first < bounds.min) return `${first} is below the least, ${bounds.min}`;
  if (first > bounds.max || last > bounds.max) return `${Math.max(first, last)} is above the most, ${bounds.max}`;
  if (first > last) return `the range ${part} ends before it begins`;
  if (step === 0) return `the step of ${part} must be positive`;
  return { first, last, step };
}

function valueOf(word: string, { min, words }: Bounds): number | undefined {
  if (/^\d{1,9}$/.test(word)) return Number(word);
  const place = words.indexOf(word.toLowerCase());
  return place < 0 ? undefined : min + place;
}

const UNITS_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };
const LONGEST_MS = 366 * 24 * 3.6e6;

/** A fixed pause from slot to slot, a second at least. Source: robfig/cron constantdelay.go, Go's time.ParseDuration. */
function everySchedule(text: string): CronSchedule | BadSchedule {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/gy)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    return { problem: `has no duration after @every: ${text}; write it as 1h30m` };
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (readKey(UNITS_MS, unit ?? '') ?? 0), 0);
  if (ms > LONGEST_MS) return { problem: 'must be no more than a year' };
  const pause = Math.max(1, Math.floor(ms / 1000)) * 1000;
  const slot = (after: Date, n: number): Date => new Date(Math.floor(after.getTime() / 1000) * 1000 + n * pause);
  return {
    next: (after) => slot(after, 1),
    last: (after, until) => {
      const n = Math.floor((until.getTime() - slot(after, 0).getTime()) / pause);
      return n < 1 ? undefined : slot(after, n);
    },
  };
}

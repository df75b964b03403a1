/** Wall clocks of time zones, and the minutes at which one shows certain hours and minutes of certain days. */

/** A day of the calendar. Months and days of the month from 1, Sunday is 0. */
export interface CalendarDay {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
}

/** What the wall clock shows at the minutes that are meant. */
export interface Fields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  matchesDay(day: CalendarDay): boolean;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How far is looked: as robfig/cron, five years. */
const MOST_DAYS = 5 * 366;

/**
 * Whether the time zone database knows it, as `Europe/Berlin`. Source: Kubernetes, validateTimeZone: neither `Local` nor
 * an offset, and with the database's capital letters.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9._+-]*(\/[A-Za-z0-9._+-]+)*$/.test(name) || name.toLowerCase() === 'local') return false;
  try {
    const known = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
    return known === name || known.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

/** How far the wall clock of a zone is ahead of UTC. */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat | undefined;

  /** Throws a RangeError where there is none of that name. */
  constructor(name: string) {
    this.#format =
      name === 'UTC'
        ? undefined
        : new Intl.DateTimeFormat('en-US', {
            timeZone: name,
            hourCycle: 'h23',
            era: 'short',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
            hour: 'numeric',
            minute: 'numeric',
            second: 'numeric',
          });
  }

  /** Milliseconds, negative west of Greenwich. */
  aheadAt(at: number): number {
    if (!this.#format) return 0;
    const part = Object.fromEntries(this.#format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
  }

  /** To the second, with the zone's distance from UTC. */
  rfc3339(at: Date): string {
    const ahead = this.aheadAt(at.getTime());
    const minutes = Math.abs(Math.round(ahead / MINUTE));
    const two = (value: number): string => String(value).padStart(2, '0');
    const distance = `${ahead < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
    return `${new Date(at.getTime() + ahead).toISOString().slice(0, 19)}${ahead === 0 ? 'Z' : distance}`;
  }

  /**
   * The stretches of one day of the calendar in which the clock runs evenly, in order: one, but where it is set forward or back.
   * `day`: midnight, as if the clock were UTC's.
   */
  stretches(day: number): readonly Stretch[] {
    // No clock is further than 14 hours from UTC: these are before and after the day everywhere.
    let [before, after] = [day - DAY, day + 2 * DAY];
    const [first, second] = [this.aheadAt(before), this.aheadAt(after)];
    const whole = { from: day, to: day + DAY };
    if (first === second) return [{ ...whole, ahead: first }];
    while (after - before > MINUTE) {
      const middle = before + Math.floor((after - before) / 2 / MINUTE) * MINUTE;
      if (this.aheadAt(middle) === first) before = middle;
      else after = middle;
    }
    return [
      { from: day, to: Math.min(day + DAY, after + first), ahead: first },
      { from: Math.max(day, after + second), to: day + DAY, ahead: second },
    ].filter(({ from, to }) => from < to);
  }
}

/** What the clock shows goes from `from` to before `to`, both read as if they were UTC. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly ahead: number;
}

/** The first such minute after `after`. */
export function nextMatch(fields: Fields, zone: TimeZone, after: Date): Date | undefined {
  const at = after.getTime();
  const first = startOfDay(at + zone.aheadAt(at));
  // A day before, too: a clock that was set back shows the day before again.
  for (let i = -1; i < MOST_DAYS; i++) {
    for (const shown of shownOn(first + i * DAY, fields, zone)) {
      const from = Math.max(shown.from, Math.floor((at + shown.ahead) / MINUTE + 1) * MINUTE);
      for (let wall = ceilTo(from, MINUTE); wall < shown.to; wall = following(wall, fields))
        if (isMeant(wall, fields)) return new Date(wall - shown.ahead);
    }
  }
  return undefined;
}

/** The last such minute after `after` and not after `until`. */
export function lastMatch(fields: Fields, zone: TimeZone, after: Date, until: Date): Date | undefined {
  const [least, most] = [after.getTime(), until.getTime()];
  const last = startOfDay(most + zone.aheadAt(most));
  for (let i = -1; i < MOST_DAYS && last - (i - 2) * DAY > least; i++) {
    for (const shown of shownOn(last - i * DAY, fields, zone).toReversed()) {
      const to = Math.min(shown.to - MINUTE, Math.floor((most + shown.ahead) / MINUTE) * MINUTE);
      for (let wall = to; wall >= shown.from; wall = preceding(wall, fields)) {
        if (!isMeant(wall, fields)) continue;
        const found = wall - shown.ahead;
        return found > least ? new Date(found) : undefined;
      }
    }
  }
  return undefined;
}

function shownOn(day: number, fields: Fields, zone: TimeZone): readonly Stretch[] {
  const date = new Date(day);
  const isOne = fields.matchesDay({ month: date.getUTCMonth() + 1, day: date.getUTCDate(), weekday: date.getUTCDay() });
  return isOne ? zone.stretches(day) : [];
}

function isMeant(wall: number, { hours, minutes }: Fields): boolean {
  const date = new Date(wall);
  return hours.has(date.getUTCHours()) && minutes.has(date.getUTCMinutes());
}

const HOUR = 60 * MINUTE;
/** The next minute that may be meant: an hour that is not is passed over. */
function following(wall: number, { hours }: Fields): number {
  return hours.has(new Date(wall).getUTCHours()) ? wall + MINUTE : ceilTo(wall + 1, HOUR);
}
function preceding(wall: number, { hours }: Fields): number {
  return hours.has(new Date(wall).getUTCHours()) ? wall - MINUTE : Math.floor(wall / HOUR) * HOUR - MINUTE;
}

function startOfDay(wall: number): number {
  return Math.floor(wall / DAY) * DAY;
}
function ceilTo(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

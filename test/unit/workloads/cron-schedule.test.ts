import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cronSchedule, isBad, type CronSchedule } from '../../../reconciler/core/workloads/cron-schedule.ts';
import { isTimeZone } from '../../../reconciler/core/workloads/wall-clock.ts';

const NEW_YORK = 'America/New_York';

function read(text: string, zone = 'UTC'): CronSchedule {
  const schedule = cronSchedule(text, zone);
  if (isBad(schedule)) throw new Error(`${text}: ${schedule.problem}`);
  return schedule;
}
const next = (text: string, after: string, zone?: string): string =>
  read(text, zone).next(new Date(after))?.toISOString() ?? 'never';

describe('schedules of CronJobs', () => {
  /** As robfig/cron v3's spec_test.go and parser_test.go have them, for five fields. */
  const SLOTS: readonly (readonly [schedule: string, after: string, slot: string])[] = [
    ['0/15 * * * *', '2012-07-09T14:45:00Z', '2012-07-09T15:00:00.000Z'],
    ['0/15 * * * *', '2012-07-09T14:59:59Z', '2012-07-09T15:00:00.000Z'],
    ['20-35/15 * * * *', '2012-07-09T15:45:00Z', '2012-07-09T16:20:00.000Z'],
    ['20-35/15 * 1/2 * *', '2012-07-09T23:46:00Z', '2012-07-11T00:20:00.000Z'],
    ['30 3 1 1 ?', '2012-07-09T23:35:51Z', '2013-01-01T03:30:00.000Z'],
    ['0 0 9 Apr-Oct ?', '2012-07-09T23:35:00Z', '2012-08-09T00:00:00.000Z'],
    ['0 0 */5 Apr,Aug,Oct Mon', '2012-07-09T23:35:00Z', '2012-08-01T00:00:00.000Z'],
    ['0 0 * Feb Mon', '2012-07-09T23:35:00Z', '2013-02-04T00:00:00.000Z'],
    ['0 0 29 Feb ?', '2012-07-09T23:35:00Z', '2016-02-29T00:00:00.000Z'],
    ['@hourly', '2012-07-09T15:00:00Z', '2012-07-09T16:00:00.000Z'],
    ['@daily', '2012-07-09T15:00:00Z', '2012-07-10T00:00:00.000Z'],
    ['@midnight', '2012-07-09T15:00:00Z', '2012-07-10T00:00:00.000Z'],
    ['@weekly', '2012-07-09T15:00:00Z', '2012-07-15T00:00:00.000Z'],
    ['@monthly', '2012-07-09T15:00:00Z', '2012-08-01T00:00:00.000Z'],
    ['@yearly', '2012-07-09T15:00:00Z', '2013-01-01T00:00:00.000Z'],
    ['@annually', '2012-07-09T15:00:00Z', '2013-01-01T00:00:00.000Z'],
    ['@every 1h30m', '2012-07-09T15:00:00Z', '2012-07-09T16:30:00.000Z'],
    ['@every 15m20s', '2012-07-09T15:00:00.250Z', '2012-07-09T15:15:20.000Z'],
    ['@every 10ms', '2012-07-09T15:00:00Z', '2012-07-09T15:00:01.000Z'],
    ['? ? ? ? ?', '2012-07-09T15:00:00Z', '2012-07-09T15:01:00.000Z'],
    ['  5   0  *  *  * ', '2012-07-09T15:00:00Z', '2012-07-10T00:05:00.000Z'],
  ];
  for (const [schedule, after, slot] of SLOTS)
    it(`${schedule} after ${after}`, () => assert.equal(next(schedule, after), slot));

  it('where both days are restricted either is enough, and a step restricts', () => {
    assert.equal(next('0 0 1,15 * Sun', '2012-07-02T00:00:00Z'), '2012-07-08T00:00:00.000Z');
    assert.equal(next('0 0 1,15 * *', '2012-07-02T00:00:00Z'), '2012-07-15T00:00:00.000Z');
    assert.equal(next('0 0 */10 * Sun', '2012-07-02T00:00:00Z'), '2012-07-08T00:00:00.000Z');
    assert.equal(next('0 0 */1 * Sun', '2012-07-02T00:00:00Z'), '2012-07-08T00:00:00.000Z');
  });

  it('a day that is in no year never comes', () => {
    assert.equal(next('0 0 30 2 *', '2012-07-09T15:00:00Z'), 'never');
    assert.equal(read('0 0 31 4 *').last(new Date(0), new Date('2012-07-09T15:00:00Z')), undefined);
  });

  const REFUSED: readonly (readonly [schedule: string, why: RegExp])[] = [
    ['', /empty/],
    ['* * * *', /has 4/],
    ['* * * * * *', /has 6/],
    ['60 * * * *', /minute: 60 is above/],
    ['* 24 * * *', /hour: 24 is above/],
    ['* * 0 * *', /day of month: 0 is below/],
    ['* * * 13 *', /month: 13 is above/],
    ['* * * * 7', /day of week: 7 is above/],
    ['*/0 * * * *', /step/],
    ['5-1 * * * *', /ends before/],
    ['1-2-3 * * * *', /cannot be read/],
    ['1/2/3 * * * *', /cannot be read/],
    ['-1 * * * *', /cannot be read/],
    ['1,,2 * * * *', /entry is empty/],
    ['jan * * * *', /cannot be read/],
    ['* * L * *', /cannot be read/],
    ['* * * * 5#2', /cannot be read/],
    ['* * 15W * *', /cannot be read/],
    ['H * * * *', /cannot be read/],
    ['@secondly', /no such descriptor/],
    ['@every', /no such descriptor/],
    ['@every 5', /no duration/],
    ['@every -5m', /no duration/],
    ['@toString', /no such descriptor/],
    ['TZ=UTC * * * * *', /spec\.timeZone/],
    ['CRON_TZ=UTC * * * * *', /spec\.timeZone/],
    [`${'1,'.repeat(2000)}1 * * * *`, /characters/],
  ];
  for (const [schedule, why] of REFUSED)
    it(`refuses ${JSON.stringify(schedule.slice(0, 40))}`, () => {
      const found = cronSchedule(schedule, 'UTC');
      assert.ok(isBad(found));
      assert.match(found.problem, why);
    });

  /** As robfig/cron v3's spec_test.go: TestNext. */
  it('skips what a clock that is set forward skips, and comes twice in an hour that comes twice', () => {
    assert.equal(next('30 2 11 Mar ?', '2012-03-11T05:00:00Z', NEW_YORK), '2013-03-11T06:30:00.000Z');
    assert.equal(next('0 * * * ?', '2012-03-11T06:00:00Z', NEW_YORK), '2012-03-11T07:00:00.000Z');
    assert.equal(next('0 3 * * ?', '2012-03-11T05:00:00Z', NEW_YORK), '2012-03-11T07:00:00.000Z');
    assert.equal(next('30 1 04 Nov ?', '2012-11-04T04:00:00Z', NEW_YORK), '2012-11-04T05:30:00.000Z');
    assert.equal(next('30 1 04 Nov ?', '2012-11-04T05:45:00Z', NEW_YORK), '2012-11-04T06:30:00.000Z');
    assert.equal(next('30 2 04 Nov ?', '2012-11-04T04:00:00Z', NEW_YORK), '2012-11-04T07:30:00.000Z');
    assert.equal(next('0 0 * * *', '2011-12-29T12:00:00Z', 'Pacific/Apia'), '2011-12-30T10:00:00.000Z');
  });

  it('the last slot is the last of those that follow one another', () => {
    const texts = fc
      .tuple(
        fc.constantFrom('*', '*/7', '0', '30', '5-50/9'),
        fc.constantFrom('*', '2', '1-3', '*/5', '0,23'),
        fc.constantFrom('*', '1', '*/6', '31'),
        fc.constantFrom('*', '3', '11'),
        fc.constantFrom('*', 'sun', '1-5'),
      )
      .map((fields) => fields.join(' '));
    const day = 86_400_000;
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom('UTC', NEW_YORK, 'Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe'),
        fc.integer({ min: Date.UTC(2012, 2, 8), max: Date.UTC(2012, 2, 14) }),
        fc.integer({ min: 0, max: 3 * day }),
        (text, zone, from, length) => {
          const schedule = read(text, zone);
          const until = new Date(from + length);
          let slot: Date | undefined;
          for (let at = schedule.next(new Date(from)); at && at <= until; at = schedule.next(at)) {
            assert.ok(!slot || at > slot);
            slot = at;
          }
          assert.deepEqual(schedule.last(new Date(from), until), slot);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('a slot is every minute whose wall clock matches, and no other', () => {
    const shown = new Intl.DateTimeFormat('en-US', {
      timeZone: 'Europe/Berlin',
      hourCycle: 'h23',
      hour: '2-digit',
      minute: '2-digit',
    });
    for (const start of ['2026-03-28T20:00:00Z', '2026-10-24T20:00:00Z']) {
      const from = Date.parse(start);
      const expected: string[] = [];
      for (let at = from + 60_000; at <= from + 12 * 3_600_000; at += 60_000)
        if (/^0[23]:(15|45)$/.test(shown.format(at))) expected.push(new Date(at).toISOString());
      const found: string[] = [];
      const schedule = read('15,45 2,3 * * *', 'Europe/Berlin');
      for (let at = schedule.next(new Date(from)); at && at.getTime() <= from + 12 * 3_600_000; at = schedule.next(at))
        found.push(at.toISOString());
      assert.deepEqual(found, expected);
    }
  });
});

describe('time zones', () => {
  for (const name of ['Europe/Berlin', 'UTC', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires', 'Asia/Calcutta'])
    it(`knows ${name}`, () => assert.equal(isTimeZone(name), true));
  for (const name of ['', 'Local', 'local', '+01:00', 'Europe/Nowhere', 'europe/berlin', '../etc/passwd', ' UTC'])
    it(`knows no ${JSON.stringify(name)}`, () => assert.equal(isTimeZone(name), false));
});

/**
 * A clock that a test sets, for some processes and those that they start; the machine's own is never touched. It is
 * Debian's libfaketime, which answers in the place of the C library: what the wall shows steps, the monotonic clock and
 * timers do not, as where a person or NTP sets a real one.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Redis } from 'ioredis';

/** What a process needs in its environment to have its clock from `file`; {@link clockText} says what is in it. */
export function clockFrom(file: string): Readonly<Record<string, string>> {
  return {
    // The dynamic linker puts the architecture's folder in the place of $LIB: ld.so(8). Where there is no such library
    // it says so and goes on: look at what the clock shows.
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1',
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/** `seconds`: how far it is off what the machine's clock shows, less than 0 for behind it. */
export function clockText(seconds: number): string {
  return `${seconds < 0 ? '' : '+'}${seconds}\n`;
}

/**
 * A folder for the front of PATH in which `redis-server` has the machine's clock: its allocator and libfaketime wait for
 * each other for ever. {@link setRedisClock} sets its clock.
 */
export async function redisWithoutSetClock(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const program = path.join(folder, 'redis-server');
  await writeFile(program, '#!/bin/sh\nunset LD_PRELOAD\nPATH=${PATH#*:}\nexec redis-server "$@"\n');
  await chmod(program, 0o755);
  return folder;
}

/** KEYS: none. ARGV: ms. What is kept with a time of the server's clock moves the other way. */
const MOVE = `
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left > 0 then redis.call('PEXPIRE', key, math.max(1, left - ARGV[1])) end
  if string.find(key, ':later$') then
    local found = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #found, 2 do redis.call('ZADD', key, string.format('%.0f', found[i + 1] - ARGV[1]), found[i]) end
  end
end
return 1
`;

/**
 * For all that Redis holds its clock is set forward by so many ms, or back by as many below 0: what expires does so that
 * much earlier, and what the queues want later is due that much earlier.
 */
export async function setRedisClock(redis: Redis, ms: number): Promise<void> {
  await redis.eval(MOVE, 0, ms);
}

/** The Log port on pino: one JSON object a line, appended to a file, or to the journal where systemd reads stderr. */
import { fstatSync } from 'node:fs';
import { pino, type Logger } from 'pino';
import type { Log, LogFields } from '../../ports/log.ts';

/** Values that pino's own redaction hides, wherever a field of that name is logged one level deep. */
const HIDDEN = ['data', '*.data', 'privateKey', '*.privateKey', 'password', '*.password', 'token', '*.token'];

const STDERR = 2;

/**
 * `stderr` where that goes to the journal, which bounds what it keeps; else the file. Source: systemd.exec(5),
 * `JOURNAL_STREAM`.
 */
export function logPlace(file: string, journalStream: string | undefined): string | number {
  if (journalStream === undefined) return file;
  const { dev, ino } = fstatSync(STDERR);
  return journalStream === `${dev}:${ino}` ? STDERR : file;
}

/** A log that appends to `file`, or to an open file of this process; lines are on disk when a call returns. Level: `debug`, `info`, `warn` or `error`. */
export function openLog(file: string | number, level: string): Log {
  const logger: Logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths: HIDDEN, censor: '[redacted]' } },
    pino.destination({ dest: file, append: true, sync: true, mkdir: true }),
  );
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void =>
      logger[name](fields ?? {}, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

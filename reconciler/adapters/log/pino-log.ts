/** The Log port on pino: one JSON object a line, appended to a file. */
import { pino, type Logger } from 'pino';
import type { Log, LogFields } from '../../ports/log.ts';

/** Values that pino's own redaction hides, wherever a field of that name is logged one level deep. */
const HIDDEN = ['data', '*.data', 'privateKey', '*.privateKey', 'password', '*.password', 'token', '*.token'];

/** A log that appends to `file`; lines are on disk when a call returns. Level: `debug`, `info`, `warn` or `error`. */
export function openLog(file: string, level: string): Log {
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

/** The log as one JSON object a line. */
import { writeSync } from 'node:fs';
import type { Log, LogFields } from '../../ports/log.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/**
 * Errors among the fields are written as their message. A line that `write` refuses is lost and counted: the next one
 * that is taken says how many were. Nothing is ever thrown: whoever logs has work to do.
 */
export function jsonLog(write: (line: string) => void, least: Level = 'info'): Log {
  const order: readonly Level[] = ['debug', 'info', 'warn', 'error'];
  let lost = 0;
  const put = (level: Level, message: string, fields: LogFields): void => {
    const plain = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? value.message : value]),
    );
    write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...plain })}\n`);
  };
  const at =
    (level: Level) =>
    (message: string, fields: LogFields = {}): void => {
      if (order.indexOf(level) < order.indexOf(least)) return;
      try {
        if (lost > 0) put('warn', 'log lines were lost', { lines: lost });
        lost = 0;
        put(level, message, fields);
      } catch {
        lost += 1;
      }
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * Writes lines to an open descriptor and throws what the kernel says (ENOSPC, EPIPE). Not a stream: one that failed
 * once is closed for good, a full disk is not.
 */
export function descriptorLines(descriptor: number): (line: string) => void {
  let torn = false;
  return (line) => {
    const bytes = Buffer.from(torn ? `\n${line}` : line);
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(descriptor, bytes, done);
    } finally {
      torn = done === 0 ? torn : done < bytes.length;
    }
  };
}

/** The log as one JSON object a line on standard error. */
import type { Log, LogFields } from '../../ports/log.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Errors among the fields are written as their message. */
export function jsonLog(write: (line: string) => void, least: Level = 'info'): Log {
  const order: readonly Level[] = ['debug', 'info', 'warn', 'error'];
  const at = (level: Level) => (message: string, fields: LogFields = {}): void => {
    if (order.indexOf(level) < order.indexOf(least)) return;
    const plain = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? value.message : value]));
    write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...plain })}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

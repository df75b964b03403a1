/**
 * The log format of container runtimes: `TIME STREAM TAG MESSAGE`, where tag `P` says that the line goes on in the next
 * one. Source: Kubernetes design proposal "CRI: logging".
 */
export interface LogLine {
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly message: string;
}

/** Undefined for a line in another format. */
export function parseLogLine(line: string): LogLine | undefined {
  const match = /^(\S+) (stdout|stderr) ([FP])(?:\S*) ?(.*)$/s.exec(line);
  if (!match) return undefined;
  return {
    time: match[1] ?? '',
    stream: match[2] as LogLine['stream'],
    partial: match[3] === 'P',
    message: match[4] ?? '',
  };
}

/** The messages alone, parts joined; also the last one where it has no end yet. */
export function messagesOf(lines: readonly string[]): readonly string[] {
  const messages = plainText(lines, false).split('\n');
  return messages.at(-1) === '' ? messages.slice(0, -1) : messages;
}

/** What a person is shown: each message with its end of line, its time in front where `timestamps`. */
export function plainText(lines: readonly string[], timestamps: boolean): string {
  return logText({ timestamps, since: undefined })(lines);
}

/**
 * The same of a log that comes in pieces. `since`, milliseconds: nothing that was printed before. The time is in front
 * of a line, and not of each part that the runtime cut it into.
 */
export function logText({
  timestamps,
  since,
}: {
  readonly timestamps: boolean;
  readonly since: number | undefined;
}): (lines: readonly string[]) => string {
  let isNewLine = true;
  const shown = (line: string): string => {
    const parsed = parseLogLine(line);
    if (!parsed || (since !== undefined && Date.parse(parsed.time) < since)) return '';
    const time = timestamps && isNewLine ? `${parsed.time} ` : '';
    isNewLine = !parsed.partial;
    return `${time}${parsed.message}${parsed.partial ? '' : '\n'}`;
  };
  return (lines) => lines.map(shown).join('');
}

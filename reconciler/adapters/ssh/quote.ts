/** The one place where an argv becomes a shell command. */
import { TerminalError } from '../../core/errors.ts';

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/**
 * The command line whose words a POSIX shell splits into exactly `argv`. Source: POSIX.1-2017 Shell Command Language,
 * 2.2.2 Single-Quotes. Throws TerminalError `CommandNotQuotable` for an empty argv or a NUL byte.
 */
export function shellCommand(argv: readonly string[]): string {
  if (argv.length === 0)
    throw new TerminalError('CommandNotQuotable', 'a remote command needs at least a program name');
  return argv.map(shellWord).join(' ');
}

function shellWord(word: string, index: number): string {
  if (word.includes('\0'))
    throw new TerminalError('CommandNotQuotable', 'an argument of a remote command holds a NUL byte; remove it');
  // An unquoted NAME=value in front would be an assignment, not a program.
  if (PLAIN.test(word) && !(index === 0 && word.includes('='))) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

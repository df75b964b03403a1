/**
 * The one way to the terminal: whatever a command prints, on stdout or stderr, to a terminal, a pipe or the person who
 * pushes, leaves through here. Names, messages and commits come from strangers, and a terminal acts on control
 * characters (ECMA-48), so these are written out. The lint rules of `cli` let nothing else write.
 */
import { StringDecoder } from 'node:string_decoder';
import { PassThrough, Transform } from 'node:stream';

/**
 * Controls, line separators and format characters, which change the direction or the look of other text (Unicode, UAX
 * #9 and UTR #36). Line feeds and tabs are what they seem; the two joiners are part of ordinary words and of emoji.
 */
const UNSAFE = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The same, or a colour: the only escape sequence that does nothing but what it looks like (ECMA-48, SGR). */
const UNSAFE_OR_COLOUR = new RegExp(`\\u001b\\[[0-9;:]{0,32}m|${UNSAFE.source}`, 'gu');
const COLOURS_OFF = '\u001b[0m';
/** The beginning of a colour, or of a line end, which the next chunk may go on with. */
const UNFINISHED = /(?:\u001b(?:\[[0-9;:]{0,32})?|\r)$/;

/** The text with what a terminal would act on written out: `\x1b`, `\u202e`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, written);
}

/** JSON or double-quoted YAML with the same characters escaped: it stays what it was. */
export function escaped(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join(''),
  );
}

export function isUnsafe(text: string): boolean {
  return text.search(UNSAFE) >= 0;
}

function written(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 4)}}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** Writes to stdout and waits until it is taken. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(visible(text), (error) => {
      if (!error) resolve();
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') endUnread();
      else reject(error);
    });
  });
}

/** Writes to stdout at once, for what cannot wait. */
export function printNow(text: string): void {
  process.stdout.write(visible(text));
}

/** Writes to stderr. */
export function tell(text: string): void {
  process.stderr.write(visible(text));
}

/** A line of progress, on stderr. */
export function progress(line: string): void {
  tell(`${line}\n`);
}

/**
 * Where a container's own bytes go. To a pipe or a file they are passed on as they are, and to a terminal when it was
 * asked for (`exec -t`: the program behind it draws). Otherwise a terminal gets text and colours; whatever else would
 * act on it is written out.
 */
export function containerOutput(to: NodeJS.WriteStream, raw: boolean): Transform {
  const through = raw || !to.isTTY ? new PassThrough() : terminalText();
  through.pipe(to, { end: false });
  return through;
}

/** Bytes to text that is safe to show, with colours left in, and off at the end. */
export function terminalText(): Transform {
  const decoder = new StringDecoder('utf8');
  let held = '';
  let coloured = false;
  const safe = (text: string): string =>
    text.replaceAll('\r\n', '\n').replace(UNSAFE_OR_COLOUR, (found) => {
      if (!found.endsWith('m') || found.length < 2) return written(found);
      coloured = true;
      return found;
    });
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = held + decoder.write(chunk);
      held = UNFINISHED.exec(text)?.[0] ?? '';
      done(null, safe(text.slice(0, text.length - held.length)));
    },
    flush(done) {
      const rest = safe(held + decoder.end());
      done(null, coloured ? rest + COLOURS_OFF : rest);
    },
  });
}

/**
 * Lets a reader go away: when nobody reads stdout any more (`| head`) the program ends without a word, as a program
 * that SIGPIPE ends does, with the exit code that is set by then. When nobody reads stderr, it goes on.
 */
export function surviveReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') endUnread();
    throw error;
  });
  process.stderr.on('error', () => undefined);
}

function endUnread(): never {
  process.exit();
}

/** Bytes to text, strictly: nothing is replaced, nothing is guessed. */

export type DecodedText =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly line: number;
      readonly column: number;
      readonly message: string;
      readonly hint: string;
    };

const NEWLINE = 0x0a;

/**
 * Decodes UTF-8 (RFC 3629); a byte order mark is dropped. The position of the first wrong byte is in characters,
 * 1-based.
 */
export function decodeUtf8(bytes: Uint8Array): DecodedText {
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    const at = firstInvalidByte(bytes);
    const lineStart = bytes.lastIndexOf(NEWLINE, Math.max(0, at - 1)) + 1;
    let line = 1;
    for (let i = 0; i < lineStart; i++) if (bytes[i] === NEWLINE) line++;
    const column = new TextDecoder().decode(bytes.subarray(lineStart, at)).length + 1;
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const byte = (bytes[at] ?? 0).toString(16).padStart(2, '0');
    return {
      ok: false,
      line,
      column,
      message: utf16 ? 'the file is UTF-16, not UTF-8' : `the file is not UTF-8: byte 0x${byte} at offset ${at}`,
      hint: 'save it as UTF-8',
    };
  }
}

function firstInvalidByte(bytes: Uint8Array): number {
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes, i);
    if (length === 0) return i;
    i += length;
  }
  return 0;
}

/** Bytes of the well-formed sequence at `i`, 0 where there is none (RFC 3629, section 4). */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i] ?? 0;
  if (lead < 0x80) return 1;
  const follow = (k: number, low = 0x80, high = 0xbf): boolean => {
    const byte = bytes[i + k];
    return byte !== undefined && byte >= low && byte <= high;
  };
  if (lead >= 0xc2 && lead <= 0xdf) return follow(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    return follow(1, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf) && follow(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return follow(1, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf) && follow(2) && follow(3) ? 4 : 0;
  }
  return 0;
}

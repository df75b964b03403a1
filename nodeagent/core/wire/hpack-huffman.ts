/**
 * The fixed Huffman code of RFC 7541, Appendix B. It is canonical: codes of one length follow each other in the order
 * of their symbols, so the lengths tell it all.
 */

/** Bits of each symbol's code: runs of `length * count`, symbols 0 to 255 and the end mark. */
const LENGTHS = (
  '13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13 6 7*22 8 7 8 13 19 13 14 6 15 ' +
  '5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 ' +
  '20 22 20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 ' +
  '23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2 ' +
  '27*5 28 27*5 26 30'
)
  .split(' ')
  .flatMap((run) => {
    const [bits, count] = run.split('*').map(Number);
    return new Array<number>(count ?? 1).fill(bits ?? 0);
  });
const END_MARK = 256;

/** For each length: the first code, and the symbols in order. */
const BY_LENGTH: readonly { readonly bits: number; readonly first: number; readonly symbols: readonly number[] }[] =
  (() => {
    const groups: { bits: number; first: number; symbols: number[] }[] = [];
    let code = 0;
    for (let bits = 1; bits <= 30; bits += 1) {
      const symbols = LENGTHS.flatMap((length, symbol) => (length === bits ? [symbol] : []));
      if (symbols.length > 0) groups.push({ bits, first: code, symbols });
      code = (code + symbols.length) * 2;
    }
    return groups;
  })();

/** Undefined when the bytes end in the middle of a code, or hold the end mark. */
export function huffmanDecode(bytes: Buffer): string | undefined {
  const out: number[] = [];
  let code = 0;
  let bits = 0;
  let group = 0;
  for (const byte of bytes) {
    for (let at = 7; at >= 0; at -= 1) {
      code = code * 2 + ((byte >> at) & 1);
      bits += 1;
      while ((BY_LENGTH[group]?.bits ?? 31) < bits) group += 1;
      const candidates = BY_LENGTH[group];
      if (candidates?.bits !== bits) continue;
      const symbol = candidates.symbols[code - candidates.first];
      if (symbol === undefined) continue;
      if (symbol === END_MARK) return undefined;
      out.push(symbol);
      code = 0;
      bits = 0;
      group = 0;
    }
  }
  // The last byte is filled with ones, less than a byte of them.
  return bits < 8 && code === 2 ** bits - 1 ? Buffer.from(out).toString('latin1') : undefined;
}

/**
 * DNS messages (RFC 1035, 4; EDNS: RFC 6891): questions are read, answers written. Written by hand as the npm codec
 * writes every name out, so that a Service without an address of its own would fit 7 of its pods into 512 bytes, not 28.
 */

export const DNS_TYPE = { A: 1, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const DNS_CODE = { ok: 0, malformed: 1, failed: 2, noName: 3, notImplemented: 4, refused: 5 } as const;

const CLASS_IN = 1;
const HEADER_BYTES = 12;
/** Of an OPT record without options (RFC 6891, 6.1.2). */
const OPT_BYTES = 11;
/** RFC 1035, 2.3.4. */
export const MOST_LABEL = 63;
const MOST_NAME = 255;
/** Of a UDP answer to who says nothing of it (RFC 1035, 4.2.1), and to who takes more: what passes unfragmented (DNS flag day 2020). */
const PLAIN_UDP = 512;
const MOST_UDP = 1232;
/** Where the header has its bits. */
const FLAG = { answer: 0x8000, authoritative: 0x0400, truncated: 0x0200, recursionDesired: 0x0100, recursion: 0x0080 };

export interface DnsQuestion {
  /** In lower case, without a dot at its end; a dot inside a label is written `\.`. */
  readonly name: string;
  readonly type: number;
}

export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  readonly question: DnsQuestion;
  /** The question as it came, with the case that its name has. */
  readonly raw: Uint8Array;
  /** Bytes that the asker takes over UDP. */
  readonly room: number;
  readonly edns: boolean;
}

export type DnsData =
  | { readonly type: 'A'; readonly address: string }
  /** An address as another server wrote it: four bytes, or sixteen of IPv6. */
  | { readonly type: 'A' | 'AAAA'; readonly bytes: Uint8Array }
  | { readonly type: 'CNAME' | 'PTR'; readonly target: string }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'TXT'; readonly text: string }
  | {
      readonly type: 'SOA';
      readonly primary: string;
      readonly mailbox: string;
      readonly serial: number;
      readonly negativeTtl: number;
    };

export interface DnsRecord {
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  readonly data: DnsData;
}

export interface DnsAnswer {
  readonly code: number;
  readonly authoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authority?: readonly DnsRecord[];
  readonly additional?: readonly DnsRecord[];
}

/** A query that cannot be answered as asked: with which code, if at all (an answer to an answer could go on for ever). */
export interface BadQuery {
  readonly code: number | undefined;
}

/** Reads a query: one question of class IN. Reads no more than it needs, and never throws. */
export function readQuery(message: Uint8Array): DnsQuery | BadQuery {
  if (message.length < HEADER_BYTES) return { code: undefined };
  const view = viewOf(message);
  const flags = view.getUint16(2);
  if ((flags & FLAG.answer) !== 0) return { code: undefined };
  if ((flags & 0x7800) !== 0) return { code: DNS_CODE.notImplemented };
  if (view.getUint16(4) !== 1) return { code: DNS_CODE.malformed };
  const name = readName(message, HEADER_BYTES);
  if (name === undefined || name.end + 4 > message.length) return { code: DNS_CODE.malformed };
  if (view.getUint16(name.end + 2) !== CLASS_IN) return { code: DNS_CODE.refused };
  const size = ednsSize(message, name.end + 4);
  return {
    id: view.getUint16(0),
    recursionDesired: (flags & FLAG.recursionDesired) !== 0,
    question: { name: name.text.toLowerCase(), type: view.getUint16(name.end) },
    raw: message.subarray(HEADER_BYTES, name.end + 4),
    room: size === undefined ? PLAIN_UDP : Math.min(Math.max(size, PLAIN_UDP), MOST_UDP),
    edns: size !== undefined,
  };
}

/** What the query's OPT record says the asker takes; undefined without one. */
function ednsSize(message: Uint8Array, at: number): number | undefined {
  for (const record of recordsFrom(message, at)) if (record.type === DNS_TYPE.OPT) return record.class;
  return undefined;
}

/**
 * The answer to `query`, of `limit` bytes at most. What is only to help is left out first; then it has the first answers that
 * there is room for, and says that it was cut (RFC 2181, 9). musl before 1.2.4 never asks for the others over TCP.
 */
export function writeAnswer(query: DnsQuery, answer: DnsAnswer, limit: number): Buffer {
  const whole = write(query, answer, false);
  if (whole.length <= limit) return whole;
  const bare = { ...answer, authority: [], additional: [] };
  const first = answer.answers.slice(0, answersWithin(query, bare, limit));
  return write(query, { ...bare, answers: first }, first.length < answer.answers.length);
}

/** How many of the first answers have room. */
function answersWithin(query: DnsQuery, { answers }: DnsAnswer, limit: number): number {
  const writer = new Writer(query);
  writer.skip(HEADER_BYTES);
  writer.question();
  const room = limit - (query.edns ? OPT_BYTES : 0);
  let count = 0;
  for (const record of answers) {
    writer.record(record);
    if (writer.length > room) break;
    count += 1;
  }
  return count;
}

/** Says that there is an answer, which the asker is to get over TCP. */
export function writeCut(query: DnsQuery): Buffer {
  return write(query, { code: DNS_CODE.ok, authoritative: false, answers: [] }, true);
}

/** To a query that {@link readQuery} could not take. */
export function writeRefusal(message: Uint8Array, code: number): Buffer {
  const refusal = Buffer.alloc(HEADER_BYTES);
  refusal.set(message.subarray(0, 2));
  const flags = viewOf(message).getUint16(2);
  refusal.writeUInt16BE(FLAG.answer | (flags & (0x7800 | FLAG.recursionDesired)) | FLAG.recursion | code, 2);
  return refusal;
}

function write(query: DnsQuery, answer: DnsAnswer, cut: boolean): Buffer {
  const { answers, authority = [], additional = [] } = answer;
  const writer = new Writer(query);
  const flags =
    FLAG.answer |
    FLAG.recursion |
    (answer.authoritative ? FLAG.authoritative : 0) |
    (cut ? FLAG.truncated : 0) |
    (query.recursionDesired ? FLAG.recursionDesired : 0) |
    answer.code;
  for (const word of [query.id, flags, 1, answers.length, authority.length, additional.length + Number(query.edns)])
    writer.u16(word);
  writer.question();
  for (const record of [...answers, ...authority, ...additional]) writer.record(record);
  if (query.edns) writer.opt(MOST_UDP);
  return writer.done();
}

class Writer {
  #bytes = Buffer.allocUnsafe(PLAIN_UDP);
  #at = 0;
  readonly #query: DnsQuery;
  /** Where a name, or the end of one, was written: later ones point there (RFC 1035, 4.1.4). */
  readonly #written = new Map<string, number>();

  constructor(query: DnsQuery) {
    this.#query = query;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#at = this.#bytes.writeUInt16BE(value, this.#at);
  }

  #u32(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeUInt32BE(value, this.#at);
  }

  question(): void {
    const { raw, question } = this.#query;
    this.#remember(question.name, this.#at);
    this.#room(raw.length);
    this.#bytes.set(raw, this.#at);
    this.#at += raw.length;
  }

  record({ name, ttl, data }: DnsRecord): void {
    this.#name(name);
    this.u16(DNS_TYPE[data.type]);
    this.u16(CLASS_IN);
    this.#u32(ttl);
    const length = this.#at;
    this.u16(0);
    this.#data(data);
    this.#bytes.writeUInt16BE(this.#at - length - 2, length);
  }

  opt(size: number): void {
    this.u8(0);
    this.u16(DNS_TYPE.OPT);
    this.u16(size);
    this.#u32(0);
    this.u16(0);
  }

  skip(bytes: number): void {
    this.#room(bytes);
    this.#at += bytes;
  }

  get length(): number {
    return this.#at;
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #data(data: DnsData): void {
    switch (data.type) {
      case 'A':
      case 'AAAA':
        for (const byte of 'bytes' in data ? data.bytes : data.address.split('.').map(Number)) this.u8(byte);
        return;
      case 'CNAME':
      case 'PTR':
        this.#name(data.target);
        return;
      case 'SRV':
        for (const word of [data.priority, data.weight, data.port]) this.u16(word);
        // Written out (RFC 2782).
        this.#name(data.target, false);
        return;
      case 'TXT': {
        const text = Buffer.from(data.text).subarray(0, 255);
        this.u8(text.length);
        for (const byte of text) this.u8(byte);
        return;
      }
      case 'SOA':
        this.#name(data.primary);
        this.#name(data.mailbox);
        for (const seconds of [data.serial, 7200, 1800, 86_400, data.negativeTtl]) this.#u32(seconds);
    }
  }

  #name(name: string, mayPoint = true): void {
    for (let rest = name; rest !== '';) {
      const at = mayPoint ? this.#written.get(rest) : undefined;
      if (at !== undefined) {
        this.u16(0xc000 | at);
        return;
      }
      // A pointer has 14 bits.
      if (this.#at < 0x4000) this.#written.set(rest, this.#at);
      const end = labelEnd(rest);
      const label = unescaped(rest.slice(0, end));
      this.u8(label.length);
      this.#room(label.length);
      this.#at += this.#bytes.write(label, this.#at, 'latin1');
      rest = rest.slice(end + 1);
    }
    this.u8(0);
  }

  #remember(name: string, start: number): void {
    let at = start;
    for (let rest = name; rest !== '';) {
      this.#written.set(rest, at);
      const end = labelEnd(rest);
      at += unescaped(rest.slice(0, end)).length + 1;
      rest = rest.slice(end + 1);
    }
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    this.#bytes = Buffer.concat([this.#bytes.subarray(0, this.#at)], this.#bytes.length * 2 + bytes);
  }
}

/** Of a name that may have dots inside its labels: see {@link DnsQuestion}. */
const LABEL = /^(?:\\.|[^.\\])*/s;

/** Where the first label ends. */
function labelEnd(name: string): number {
  if (name.includes('\\')) return LABEL.exec(name)?.[0].length ?? name.length;
  const dot = name.indexOf('.');
  return dot < 0 ? name.length : dot;
}

const unescaped = (label: string): string => (label.includes('\\') ? label.replace(/\\(.)/gs, '$1') : label);

/** Where the record's fields stand in its message. */
interface PlacedRecord {
  readonly name: number;
  readonly type: number;
  readonly class: number;
  readonly ttlAt: number;
  readonly dataAt: number;
  readonly dataLength: number;
  readonly section: number;
}

/** The records behind the questions, which end at `at`; ends where they are not whole. */
function* recordsFrom(message: Uint8Array, start: number): Generator<PlacedRecord, boolean> {
  const view = viewOf(message);
  let at = start;
  for (const section of [0, 1, 2]) {
    for (let left = view.getUint16(6 + section * 2); left > 0; left--) {
      const end = skipName(message, at);
      if (end === undefined || end + 10 > message.length) return false;
      const dataLength = view.getUint16(end + 8);
      if (end + 10 + dataLength > message.length) return false;
      yield {
        name: at,
        type: view.getUint16(end),
        class: view.getUint16(end + 2),
        ttlAt: end + 4,
        dataAt: end + 10,
        dataLength,
        section,
      };
      at = end + 10 + dataLength;
    }
  }
  return true;
}

export interface AnswerTimes {
  /** Seconds for which the answer holds; 0 where it is to be asked again. */
  readonly ttl: number;
  /** Where the answer has times to live, as offsets in bytes. */
  readonly places: readonly number[];
}

/**
 * How long another server's answer holds: its records' least time to live; of one without an answer, what its SOA says
 * (RFC 2308, 5). Failures and answers that were cut, or are not whole, hold for no time.
 */
export function answerTimes(message: Uint8Array, questionBytes: number): AnswerTimes {
  const nothing: AnswerTimes = { ttl: 0, places: [] };
  if (message.length < HEADER_BYTES + questionBytes) return nothing;
  const view = viewOf(message);
  const flags = view.getUint16(2);
  const code = flags & 0xf;
  if ((flags & FLAG.truncated) !== 0 || (code !== DNS_CODE.ok && code !== DNS_CODE.noName)) return nothing;
  const places: number[] = [];
  let least: number | undefined;
  let negative: number | undefined;
  const records = recordsFrom(message, HEADER_BYTES + questionBytes);
  for (;;) {
    const next = records.next();
    if (next.done) {
      if (!next.value) return nothing;
      break;
    }
    const { type, ttlAt, dataAt, dataLength, section } = next.value;
    if (type === DNS_TYPE.OPT) continue;
    places.push(ttlAt);
    const ttl = view.getUint32(ttlAt);
    if (section === 0) least = Math.min(least ?? ttl, ttl);
    if (section === 1 && type === DNS_TYPE.SOA && dataLength >= 4)
      negative = Math.min(ttl, view.getUint32(dataAt + dataLength - 4));
  }
  return { ttl: (view.getUint16(6) === 0 ? negative : least) ?? 0, places };
}

/**
 * The addresses in another server's answer, given to `name`: that server has followed aliases, so all are what was asked
 * for.
 */
export function addressesIn(message: Uint8Array, questionBytes: number, name: string): readonly DnsRecord[] {
  if (message.length < HEADER_BYTES + questionBytes) return [];
  const view = viewOf(message);
  const found: DnsRecord[] = [];
  for (const { type, section, ttlAt, dataAt, dataLength } of recordsFrom(message, HEADER_BYTES + questionBytes)) {
    const family =
      type === DNS_TYPE.A && dataLength === 4 ? 'A' : type === DNS_TYPE.AAAA && dataLength === 16 ? 'AAAA' : '';
    if (section !== 0 || family === '') continue;
    const bytes = message.slice(dataAt, dataAt + dataLength);
    found.push({ name, ttl: view.getUint32(ttlAt), data: { type: family, bytes } });
  }
  return found;
}

/** A query of our own. */
export function writeQuery(id: number, name: string, type: number): Buffer {
  const question = Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0, type >> 8, type & 0xff, 0, CLASS_IN]),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(FLAG.recursionDesired, 2);
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, question]);
}

/** Whether this is an answer to that query: by its id, and by the question it repeats (RFC 5452, 9.1). */
export function isAnswerTo(query: Uint8Array, answer: Uint8Array, questionBytes: number): boolean {
  if (answer.length < HEADER_BYTES + questionBytes || (viewOf(answer).getUint16(2) & FLAG.answer) === 0) return false;
  if (answer[0] !== query[0] || answer[1] !== query[1]) return false;
  for (let at = HEADER_BYTES; at < HEADER_BYTES + questionBytes; at++) if (answer[at] !== query[at]) return false;
  return true;
}

/** Whether the answer says that it was cut. */
export function isCut(answer: Uint8Array): boolean {
  return answer.length >= HEADER_BYTES && (viewOf(answer).getUint16(2) & FLAG.truncated) !== 0;
}

const SPECIAL = /[.\\]/;

/** Reads a name that is written out, as a question's is; undefined where it is none or too long. */
function readName(message: Uint8Array, start: number): { text: string; end: number } | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const labels: string[] = [];
  let size = 0;
  for (let at = start; ;) {
    const length = message[at];
    if (length === undefined || length > MOST_LABEL) return undefined;
    if (length === 0) return { text: labels.join('.'), end: at + 1 };
    size += length + 1;
    if (size >= MOST_NAME || at + 1 + length > message.length) return undefined;
    const label = bytes.toString('latin1', at + 1, at + 1 + length);
    labels.push(SPECIAL.test(label) ? label.replace(/[.\\]/g, '\\$&') : label);
    at += length + 1;
  }
}

/** The first byte behind a name. */
function skipName(message: Uint8Array, start: number): number | undefined {
  for (let at = start; ;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > MOST_LABEL) return undefined;
    at += length + 1;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

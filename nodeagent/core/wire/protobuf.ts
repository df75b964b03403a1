/**
 * A table-driven codec for the part of Protocol Buffers that the container runtime's API uses (proto3).
 * Source: https://protobuf.dev/programming-guides/encoding/
 *
 * A message is a table of named fields; its TypeScript types follow from the table. What is absent on the wire decodes
 * to the type's zero value (a sub-message: undefined); unknown fields are skipped; zero values are not written.
 */
import { readKey } from '../../../contracts/objects/own-key.ts';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** One field: how `Out` is read from the wire and `In` is written to it. */
export interface Field<In, Out> {
  readonly no: number;
  initial(): Out;
  /** Reads one occurrence of the field; `before` is what earlier occurrences came to. */
  read(reader: Reader, wireType: number, before: Out): Out;
  write(writer: Writer, value: In): void;
}
type AnyField = Field<never, unknown>;
export type MessageTable = Readonly<Record<string, AnyField>>;
export type Decoded<M extends MessageTable> = {
  readonly [K in keyof M]: M[K] extends Field<never, infer Out> ? Out : never;
};
export type Encodable<M extends MessageTable> = {
  readonly [K in keyof M]?: (M[K] extends Field<infer In, unknown> ? In : never) | undefined;
};

/** Malformed bytes. */
export class WireError extends Error {}

export class Reader {
  at = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A varint as a number: exact up to 2^53, then to the precision of a double; negative int64 come out negative. */
  varint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new WireError('message ends inside a number');
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return (high | 0) * 0x1_0000_0000 + (low >>> 0);
    }
    throw new WireError('a number is longer than ten bytes');
  }

  chunk(): Buffer {
    const length = this.varint();
    const end = this.at + length;
    if (length < 0 || end > this.bytes.length) throw new WireError('message ends inside a field');
    const chunk = this.bytes.subarray(this.at, end);
    this.at = end;
    return chunk;
  }

  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        this.varint();
        return;
      case LENGTH:
        this.chunk();
        return;
      case FIXED64:
        this.at += 8;
        return;
      case FIXED32:
        this.at += 4;
        return;
      default:
        throw new WireError(`unknown wire type ${wireType}`);
    }
  }
}

export class Writer {
  private readonly parts: Buffer[] = [];

  /** Negative numbers become ten bytes, as proto3's int32 and int64 do. */
  varint(value: number): void {
    const bytes: number[] = [];
    if (value >= 0 && value < 0x8000_0000) {
      let rest = value;
      while (rest > 0x7f) {
        bytes.push((rest & 0x7f) | 0x80);
        rest >>>= 7;
      }
      bytes.push(rest);
    } else {
      let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
      while (rest > 0x7fn) {
        bytes.push(Number(rest & 0x7fn) | 0x80);
        rest >>= 7n;
      }
      bytes.push(Number(rest));
    }
    this.parts.push(Buffer.from(bytes));
  }

  tag(no: number, wireType: number): void {
    this.varint(no * 8 + wireType);
  }

  chunk(no: number, bytes: Buffer): void {
    this.tag(no, LENGTH);
    this.varint(bytes.length);
    this.parts.push(bytes);
  }

  finish(): Buffer {
    return Buffer.concat(this.parts);
  }
}

function numberField(no: number): Field<number, number> {
  return {
    no,
    initial: () => 0,
    read: (reader) => reader.varint(),
    write(writer, value) {
      if (value === 0) return;
      writer.tag(no, VARINT);
      writer.varint(value);
    },
  };
}
/** int32, uint32, int64, uint64 and enums: one wire form. */
export const int = numberField;

export function bool(no: number): Field<boolean, boolean> {
  return {
    no,
    initial: () => false,
    read: (reader) => reader.varint() !== 0,
    write(writer, value) {
      if (!value) return;
      writer.tag(no, VARINT);
      writer.varint(1);
    },
  };
}

export function text(no: number): Field<string, string> {
  return {
    no,
    initial: () => '',
    read: (reader) => reader.chunk().toString('utf8'),
    write(writer, value) {
      if (value !== '') writer.chunk(no, Buffer.from(value, 'utf8'));
    },
  };
}

export function bytes(no: number): Field<Uint8Array, Buffer> {
  return {
    no,
    initial: () => Buffer.alloc(0),
    read: (reader) => Buffer.from(reader.chunk()),
    write(writer, value) {
      if (value.length > 0) writer.chunk(no, Buffer.from(value));
    },
  };
}

export function message<M extends MessageTable>(no: number, table: M): Field<Encodable<M>, Decoded<M> | undefined> {
  return {
    no,
    initial: () => undefined,
    read: (reader) => decode(table, reader.chunk()),
    write: (writer, value) => writer.chunk(no, encode(table, value)),
  };
}

export function texts(no: number): Field<readonly string[], readonly string[]> {
  return {
    no,
    initial: () => [],
    read(reader, _wireType, before) {
      // The list is this message's own since `initial`; a copy for each entry would cost their square.
      const list = before as string[];
      list.push(reader.chunk().toString('utf8'));
      return list;
    },
    write(writer, values) {
      for (const value of values) writer.chunk(no, Buffer.from(value, 'utf8'));
    },
  };
}

/** Repeated integers, packed as proto3 packs them; both forms are read. */
export function ints(no: number): Field<readonly number[], readonly number[]> {
  return {
    no,
    initial: () => [],
    read(reader, wireType, before) {
      const values = before as number[];
      const packed = wireType === LENGTH ? new Reader(reader.chunk()) : undefined;
      if (!packed) values.push(reader.varint());
      else while (packed.at < packed.bytes.length) values.push(packed.varint());
      return values;
    },
    write(writer, values) {
      if (values.length === 0) return;
      const packed = new Writer();
      for (const value of values) packed.varint(value);
      writer.chunk(no, packed.finish());
    },
  };
}

export function messages<M extends MessageTable>(
  no: number,
  table: M,
): Field<readonly Encodable<M>[], readonly Decoded<M>[]> {
  return {
    no,
    initial: () => [],
    read(reader, _wireType, before) {
      const list = before as Decoded<M>[];
      list.push(decode(table, reader.chunk()));
      return list;
    },
    write(writer, values) {
      for (const value of values) writer.chunk(no, encode(table, value));
    },
  };
}

const MAP_ENTRY = { key: text(1), value: text(2) };
/** `map<string, string>`. */
export function textMap(no: number): Field<Readonly<Record<string, string>>, Readonly<Record<string, string>>> {
  return {
    no,
    initial: () => ({}),
    read(reader, _wireType, before) {
      const entry = decode(MAP_ENTRY, reader.chunk());
      (before as Record<string, string>)[entry.key] = entry.value;
      return before;
    },
    write(writer, values) {
      for (const [key, value] of Object.entries(values)) writer.chunk(no, encode(MAP_ENTRY, { key, value }));
    },
  };
}

export function encode<M extends MessageTable>(table: M, value: Encodable<M>): Buffer {
  const writer = new Writer();
  for (const [name, field] of Object.entries(table) as [keyof M, Field<unknown, unknown>][]) {
    const given = value[name];
    if (given !== undefined) field.write(writer, given);
  }
  return writer.finish();
}

/** Throws {@link WireError}. */
export function decode<M extends MessageTable>(table: M, encoded: Buffer): Decoded<M> {
  const names = namesByNumber(table);
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(table)) result[name] = field.initial();
  const reader = new Reader(encoded);
  while (reader.at < encoded.length) {
    const tag = reader.varint();
    const wireType = tag & 7;
    const name = names.get(tag >>> 3);
    if (name === undefined) reader.skip(wireType);
    else result[name] = (readKey(table, name) as Field<unknown, unknown>).read(reader, wireType, readKey(result, name));
  }
  return result as Decoded<M>;
}

const nameTables = new WeakMap<MessageTable, ReadonlyMap<number, string>>();
function namesByNumber(table: MessageTable): ReadonlyMap<number, string> {
  const known = nameTables.get(table);
  if (known) return known;
  const made = new Map(Object.entries(table).map(([name, field]) => [field.no, name]));
  nameTables.set(table, made);
  return made;
}

/**
 * gRPC's framing of messages in an HTTP/2 stream: one byte for compression (never used here), four for the length, the message.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */

export function grpcFrame(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Takes the whole messages off the front of `buffered`; `rest` is the start of the next one. */
export function takeGrpcMessages(buffered: Buffer): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (buffered.length - at >= 5) {
    const end = at + 5 + buffered.readUInt32BE(at + 1);
    if (end > buffered.length) break;
    messages.push(buffered.subarray(at + 5, end));
    at = end;
  }
  return { messages, rest: buffered.subarray(at) };
}

/** Status codes that callers tell apart. */
export const GRPC_CODE = { ok: 0, cancelled: 1, unknown: 2, invalidArgument: 3, deadlineExceeded: 4, notFound: 5, alreadyExists: 6, unimplemented: 12, unavailable: 14 } as const;

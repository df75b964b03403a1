/** Frames of the agent's exec stream: 1 byte channel, 4 bytes length (big-endian), payload. See contracts/agent. */

/** A frame larger than this is no frame of ours. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export function execFrame(channel: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header[0] = channel;
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

/** Takes the whole frames off the front of `buffered`. Throws RangeError for a frame that is too large. */
export function takeExecFrames(buffered: Buffer): {
  readonly frames: readonly { readonly channel: number; readonly payload: Buffer }[];
  readonly rest: Buffer;
} {
  const frames: { channel: number; payload: Buffer }[] = [];
  let at = 0;
  while (buffered.length - at >= 5) {
    const length = buffered.readUInt32BE(at + 1);
    if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes is too large`);
    const end = at + 5 + length;
    if (end > buffered.length) break;
    frames.push({ channel: buffered[at] ?? 0, payload: buffered.subarray(at + 5, end) });
    at = end;
  }
  return { frames, rest: buffered.subarray(at) };
}

/** Frames of the agent's exec stream: 1 byte channel, 4 bytes length (big-endian), payload. See `EXEC_CHANNEL`. */

const HEADER_BYTES = 5;
/** A frame larger than this is no frame of ours. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export function execFrame(channel: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(channel, 0);
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

/**
 * Cuts a byte stream into frames, whatever the chunks are. Holds one frame's beginning at most. Throws RangeError for a
 * frame that is too large: the stream is out of step, and is not to be read on.
 */
export function execFrameReader(onFrame: (channel: number, payload: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= HEADER_BYTES) {
      const length = held.readUInt32BE(1);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes is too large`);
      const end = HEADER_BYTES + length;
      if (held.length < end) return;
      const frame = held.subarray(0, end);
      held = held.subarray(end);
      onFrame(frame.readUInt8(0), frame.subarray(HEADER_BYTES));
    }
  };
}

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
 * Cuts a byte stream into frames, whatever the chunks are. Holds one frame at most, and copies each byte once. Throws
 * RangeError for a frame that is too large: the stream is out of step, and is not to be read on.
 */
export function execFrameReader(onFrame: (channel: number, payload: Buffer) => void): (chunk: Buffer) => void {
  /** Has room for a header first, and then for the frame that the header tells of. */
  let frame = Buffer.alloc(HEADER_BYTES);
  let filled = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length;) {
      const taken = chunk.copy(frame, filled, at);
      at += taken;
      filled += taken;
      if (filled < frame.length) return;
      const length = frame.readUInt32BE(1);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes is too large`);
      const whole = frame;
      if (filled < HEADER_BYTES + length) {
        frame = Buffer.allocUnsafe(HEADER_BYTES + length);
        whole.copy(frame);
        continue;
      }
      frame = Buffer.alloc(HEADER_BYTES);
      filled = 0;
      onFrame(whole.readUInt8(0), whole.subarray(HEADER_BYTES));
    }
  };
}

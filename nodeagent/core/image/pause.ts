/**
 * The image of the process that holds a pod's namespaces open: one static program that sleeps until it is killed.
 * Made here because a machine without a way to the registry could otherwise start no pod at all.
 */
import { imageArchive } from './archive.ts';

const LOAD_ADDRESS = 0x40_0000;
const HEADERS_BYTES = 64 + 56;

/** `for (;;) pause();` */
const X86_64 = Buffer.from([0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]);
/** `for (;;) ppoll(NULL, 0, NULL, NULL);` : arm64 has no pause(2). Words are little-endian instructions. */
const ARM64 = words([0xd280_0000, 0xd280_0001, 0xd280_0002, 0xd280_0003, 0xd280_0928, 0xd400_0001, 0x17ff_fffa]);

const MACHINE = { amd64: 62, arm64: 183 } as const;

/** A static ELF executable of one segment. Source: System V ABI, Object Files. */
export function pauseProgram(architecture: 'amd64' | 'arm64'): Buffer {
  const code = architecture === 'amd64' ? X86_64 : ARM64;
  const size = HEADERS_BYTES + code.length;
  const header = Buffer.alloc(HEADERS_BYTES);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(MACHINE[architecture], 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADERS_BYTES), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88);
  header.writeBigUInt64LE(BigInt(size), 96);
  header.writeBigUInt64LE(BigInt(size), 104);
  header.writeBigUInt64LE(0x1_0000n, 112);
  return Buffer.concat([header, code]);
}

/** The image under the very name that the runtime is configured to use. */
export function pauseImage(name: string, architecture: 'amd64' | 'arm64'): Buffer {
  return imageArchive({
    name,
    architecture,
    files: [{ type: 'file', path: 'pause', content: pauseProgram(architecture), mode: 0o755 }],
    entrypoint: ['/pause'],
  });
}

function words(instructions: readonly number[]): Buffer {
  const code = Buffer.alloc(instructions.length * 4);
  instructions.forEach((word, at) => code.writeUInt32LE(word, at * 4));
  return code;
}

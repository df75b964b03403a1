/**
 * Volumes whose size is held to: each is a file system in a file of that size, an image. Source of the format:
 * Documentation/filesystems/ext4/super.rst of Linux.
 */

import { IMAGE_BLOCK } from '../../../contracts/objects/local-volumes.ts';

/** Where the superblock is, and how much of it is read. */
export const SUPERBLOCK = { at: 1024, bytes: 1024 } as const;
const MAGIC = 0xef53;
const INCOMPAT_64BIT = 0x80;

/** Bytes of the file system that a superblock tells of; undefined where it tells of none. */
export function fileSystemBytes(superblock: Buffer): number | undefined {
  if (superblock.length < SUPERBLOCK.bytes || superblock.readUInt16LE(0x38) !== MAGIC) return undefined;
  const high = superblock.readUInt32LE(0x60) & INCOMPAT_64BIT ? superblock.readUInt32LE(0x150) : 0;
  const blocks = high * 2 ** 32 + superblock.readUInt32LE(0x4);
  return blocks * 2 ** (10 + superblock.readUInt32LE(0x18));
}

/** Whether the image has room that its file system does not use yet. */
export function mayGrowInto(image: number, fileSystem: number): boolean {
  return image - fileSystem >= IMAGE_BLOCK;
}

/** A loop device, and what it shows: number of the file, and of the file system that it is on. */
export interface LoopDevice {
  readonly name: string;
  /** `MAJOR:MINOR`, as mountinfo has it. */
  readonly device: string;
  readonly inode: number;
  readonly on: string;
}
export const LOOP_COLUMNS = 'NAME,MAJ:MIN,BACK-INO,BACK-MAJ:MIN';

/** What `losetup --list --noheadings --output` {@link LOOP_COLUMNS} prints. */
export function loopDevices(text: string): readonly LoopDevice[] {
  return text.split('\n').flatMap((line) => {
    const [name, device, inode, on] = line.trim().split(/\s+/);
    return name === undefined || device === undefined || inode === undefined || on === undefined
      ? []
      : [{ name, device, inode: Number(inode), on }];
  });
}

/** `MAJOR:MINOR` of what stat(2) tells as one number. Source: makedev(3) of glibc. */
export function deviceNumber(dev: number): string {
  const low = dev % 2 ** 32;
  const high = Math.floor(dev / 2 ** 32);
  const major = ((low >>> 8) & 0xfff) + (high & 0xfffff000);
  const minor = (low & 0xff) + ((low >>> 12) & 0xfff00) + (high & 0xff) * 2 ** 20;
  return `${major}:${minor}`;
}

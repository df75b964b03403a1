/** The agent's files of pods and of what outlives them, as its main module puts them together. */
import { systemMounts, type NetworkPatience } from '../../../nodeagent/adapters/disk/mounts.ts';
import { persistentFolders } from '../../../nodeagent/adapters/disk/persistent-folders.ts';
import { podFiles } from '../../../nodeagent/adapters/disk/pod-files.ts';
import { volumeImages } from '../../../nodeagent/adapters/disk/volume-images.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { persistentRoot, type NodeFolders } from '../../../nodeagent/core/pod/layout.ts';
import type { ImageFiles } from '../../../nodeagent/ports/image-files.ts';
import type { PersistentFolders } from '../../../nodeagent/ports/persistent-folders.ts';
import type { PodFiles } from '../../../nodeagent/ports/pod-files.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';

export interface OwnFiles {
  readonly files: PodFiles;
  readonly kept: PersistentFolders;
}

const NO_IMAGES: ImageFiles = {
  view: () => Promise.reject(new Error('there is no image')),
  release: () => Promise.resolve(),
};

/** Each call is an agent started anew. */
export function ownFiles(
  folders: NodeFolders,
  run: RunCommand = createRunCommand(),
  patience?: NetworkPatience,
  images: ImageFiles = NO_IMAGES,
): OwnFiles {
  const mounts = systemMounts(run, systemClock, patience);
  const kept = persistentFolders(persistentRoot(folders), mounts, volumeImages(run, mounts));
  return { files: podFiles(folders, mounts, kept, images), kept };
}

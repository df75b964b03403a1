/** In which ways a volume may be had. */
import type { AccessMode } from '../../../contracts/objects/index.ts';

/** In the order in which they are told. Source: Kubernetes, GetAccessModesAsString. */
const SHORT: Readonly<Record<AccessMode, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const ALL = Object.keys(SHORT) as readonly AccessMode[];

/** As kubectl prints them: `RWO,ROX`. */
export function accessModesText(modes: readonly AccessMode[]): string {
  return ALL.filter((mode) => modes.includes(mode))
    .map((mode) => SHORT[mode])
    .join();
}

/** Whether a volume with `offered` modes can be had in every way that is wanted. */
export function offersModes(offered: readonly AccessMode[], wanted: readonly AccessMode[]): boolean {
  return wanted.every((mode) => offered.includes(mode));
}

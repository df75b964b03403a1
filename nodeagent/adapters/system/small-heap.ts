/**
 * Keeps V8's young generation at its first size: with room to grow it takes up to 16 MiB a half, which is more than everything an agent
 * holds. Has to be imported before anything that allocates.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--semi-space-growth-factor=1');

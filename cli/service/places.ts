/** Where an installed control plane is. None of it is of the node agent (contracts/agent/places.ts). */
import { join } from 'node:path';

/** User and group that the control plane runs as. */
export const SERVICE_USER = 'plumbline';
export const UNIT_NAME = 'plumbline.service';
export const UNIT_FILE = `/etc/systemd/system/${UNIT_NAME}`;
/** Its home folder, and its user's. */
export const SERVICE_HOME = '/var/lib/plumbline-control';
/** Settings and secrets of the environment; root's. */
export const CONFIG_FOLDER = '/etc/plumbline';
export const SETTINGS_FILE = join(CONFIG_FOLDER, 'service.json');
export const ENVIRONMENT_FILE = join(CONFIG_FOLDER, 'environment');
/** A folder for each installed version, and the links `current` and `previous`. */
export const STORE = '/usr/local/lib/plumbline';
export const CURRENT = join(STORE, 'current');
export const PREVIOUS = join(STORE, 'previous');
/** On everybody's PATH. */
export const COMMAND_FILE = '/usr/local/bin/plumb';

/** `plumb debug`: puts a container into a running pod, for a look at it. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerState, Pod } from '../../contracts/objects/index.ts';
import { controlPlane, type ControlPlaneClient } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { progress } from '../print/terminal.ts';
import { attach } from './attach.ts';
import { objectPath } from './get.ts';
import { podName } from './logs.ts';

export interface DebugOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly image: string;
  readonly container?: string;
  readonly target?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

const LOOK_EVERY_MS = 250;
/** For how long a container that does not start is waited for. */
const LONGEST_WAIT_MS = 120_000;

/**
 * The container stays in the pod, and in its status, when it has ended. With `stdin` it is attached to once it runs.
 * Source: kubectl debug.
 */
export async function debug(word: string, command: readonly string[], options: DebugOptions): Promise<void> {
  const { namespace, image, target, stdin = false, tty = false } = options;
  const client = controlPlane(options.home);
  const name = await podName(client, word, namespace);
  const path = objectPath('Pod', namespace, name);
  const container = options.container ?? `debugger-${randomBytes(4).toString('hex').slice(0, 5)}`;
  const added = {
    name: container,
    image,
    ...(command.length > 0 && { command }),
    stdin,
    tty,
    ...(target !== undefined && { targetContainerName: target }),
  };
  await client.send<Pod>('PATCH', `${path}/ephemeralcontainers`, { spec: { ephemeralContainers: [added] } });
  if (options.container === undefined) progress(`the container is named ${container}`);
  const where = namespace === 'default' ? '' : ` -n ${namespace}`;
  const state = await untilBegun(client, path, container, `plumb explain pod/${name}${where}`);
  if (stdin && state.running) return attach(`pod/${name}`, { ...options, container, stdin, tty });
  progress(`see what it prints with: plumb logs ${name} -c ${container}${where}`);
}

/** Until it runs, or has ended; tells once of each reason what it waits for. `explain`: the command that says more. */
async function untilBegun(
  client: ControlPlaneClient,
  path: string,
  container: string,
  explain: string,
): Promise<ContainerState> {
  let said = 'ContainerCreating';
  for (let waited = 0; waited < LONGEST_WAIT_MS; waited += LOOK_EVERY_MS) {
    const { status } = await client.get<Pod>(path);
    const state = status?.ephemeralContainerStatuses?.find(({ name }) => name === container)?.state;
    if (state?.running ?? state?.terminated) return state;
    const { reason = said, message } = state?.waiting ?? {};
    if (reason !== said) progress(`${container}: ${reason}${message === undefined ? '' : `: ${message}`}`);
    said = reason;
    await delay(LOOK_EVERY_MS);
  }
  throw new CliFailure(
    1,
    `the container ${container} did not start within ${LONGEST_WAIT_MS / 1000} s`,
    `see why with: ${explain}`,
  );
}

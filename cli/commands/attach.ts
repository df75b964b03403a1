/** `plumb attach`: the streams of a running container's main process. */
import { EXEC_UPGRADE } from '../../contracts/agent/index.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import type { Pod } from '../../contracts/objects/index.ts';
import { controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { progress } from '../print/terminal.ts';
import { noteNoTerminal, sessionAtTerminal } from '../terminal-session.ts';
import { objectPath } from './get.ts';
import type { ExecOptions } from './exec.ts';
import { podName } from './logs.ts';

/**
 * A container that has a terminal is shown as one whether `-t` is given or not, and one that has none is not: what it
 * prints is one stream or two by how it was made. Source: Kubernetes, staging/src/k8s.io/kubectl/pkg/cmd/attach.
 */
export async function attach(word: string, options: ExecOptions): Promise<void> {
  const { namespace } = options;
  const client = controlPlane(options.home);
  const name = await podName(client, word, namespace);
  const path = objectPath('Pod', namespace, name);
  const { spec } = await client.get<Pod>(path);
  const wanted = options.container ?? spec.containers[0]?.name;
  const container = everyContainer(spec).find((one) => one.name === wanted);
  if (!container)
    throw new CliFailure(
      1,
      `container ${wanted} is not in pod ${namespace}/${name}`,
      `it has: ${everyContainer(spec)
        .map((one) => one.name)
        .join(', ')}`,
    );
  const { tty } = container;
  if (options.tty && !tty) progress(`note: container ${container.name} has no terminal: -t does nothing`);
  if (options.tty && tty) noteNoTerminal();
  const stdin = options.stdin === true && container.stdin;
  if (options.stdin && !container.stdin)
    progress(`note: container ${container.name} takes no input (stdin: true in its manifest): -i does nothing`);
  const query = new URLSearchParams({ container: container.name, stdin: String(stdin) });
  const socket = await client.upgrade(`${path}/attach?${query.toString()}`, EXEC_UPGRADE);
  if (tty && stdin && process.stdin.isTTY)
    progress('note: a prompt that was printed before is not printed again: press enter');
  const { exitCode, message } = await sessionAtTerminal(socket, { tty, stdin });
  if (message !== undefined) progress(message);
  process.exitCode = exitCode;
}

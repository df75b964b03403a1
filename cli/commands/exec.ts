/** `plumb exec`: a command in a container, with the terminal when asked. */
import { EXEC_UPGRADE } from '../../contracts/agent/index.ts';
import { controlPlane } from '../control-plane.ts';
import { progress } from '../print/terminal.ts';
import { noteNoTerminal, sessionAtTerminal } from '../terminal-session.ts';
import { objectPath } from './get.ts';
import { podName } from './logs.ts';

export interface ExecOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

export async function exec(word: string, command: readonly string[], options: ExecOptions): Promise<void> {
  const { tty = false, stdin = false, namespace } = options;
  if (tty) noteNoTerminal();
  const client = controlPlane(options.home);
  const query = new URLSearchParams(command.map((argument): [string, string] => ['command', argument]));
  if (options.container !== undefined) query.set('container', options.container);
  if (tty) query.set('tty', 'true');
  if (stdin) query.set('stdin', 'true');
  const socket = await client.upgrade(
    `${objectPath('Pod', namespace, await podName(client, word, namespace))}/exec?${query.toString()}`,
    EXEC_UPGRADE,
  );
  const { exitCode, message } = await sessionAtTerminal(socket, { tty, stdin });
  if (message !== undefined) progress(message);
  process.exitCode = exitCode;
}

/** Whether the machine goes down, or only this program is to end. */
import type { RunCommand } from '../../ports/run-command.ts';

/**
 * As the service manager says; false on a machine without systemd. Source: systemctl(1), "is-system-running": `stopping`
 * while the manager is shutting down.
 */
export async function isGoingDown(run: RunCommand, signal: AbortSignal): Promise<boolean> {
  const answer = await run(['systemctl', 'is-system-running'], { signal }).catch(() => undefined);
  return answer?.stdout.trim() === 'stopping';
}

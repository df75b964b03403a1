/** `ReachWithin` by nsenter(1) and a program that tries what it reads: the agent itself, told to. */
import { readProbeResults } from '../../core/wire/network-probes.ts';
import type { ReachWithin } from '../../ports/reach.ts';
import type { RunCommand } from '../../ports/run-command.ts';

/** `program`: argv of what reads probes from its input, and writes results. */
export function createReachWithin(run: RunCommand, program: readonly string[]): ReachWithin {
  return async (namespace, probes, signal) => {
    const argv = ['nsenter', `--net=${namespace}`, ...program];
    const { code, stdout, stderr } = await run(argv, { signal, input: JSON.stringify({ probes }) });
    if (code !== 0) throw new Error(`it could not be tried there: ${stderr.trim().slice(0, 200)}`);
    const results = readProbeResults(stdout);
    if (results.length !== probes.length) throw new Error(`${results.length} of ${probes.length} were tried there`);
    return results;
  };
}

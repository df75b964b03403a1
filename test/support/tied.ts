/**
 * A command line whose process the kernel kills when this process ends, however it ends; also what that process becomes
 * by exec. For all that is started directly and runs for long. Source: setpriv(1), PR_SET_PDEATHSIG(2const).
 */
export function tied(...argv: readonly string[]): readonly [program: string, ...rest: string[]] {
  return ['setpriv', '--pdeathsig', 'KILL', '--', ...argv];
}

/** The one place that reads why iptables failed. */

/** Lines that say nothing of why. */
const NOISE = /^(?:# Warning|Try `|Error occurred at line|\s*$)/;

/** One sentence. Without the version, which both kinds of iptables begin with. */
export function explainIptablesFailure(program: string, code: number | null, stderr: string): string {
  const said = stderr
    .split('\n')
    .filter((line) => !NOISE.test(line))
    .map((line) => line.replace(/^\S+ v[\d.]+ \([a-z_]+\):\s*/, '').trim())
    .filter((line) => line !== '')
    .join('; ')
    .slice(0, 300);
  if (said !== '') return `${program} refused: ${said}`;
  return `${program} ended with ${code === null ? 'a signal' : `code ${code}`} and said nothing`;
}

/**
 * A healthcheck as a readiness probe: Compose restarts nothing that is unhealthy, it only keeps others waiting for it.
 * Source: Compose specification, "healthcheck"; Docker, "HEALTHCHECK" for the defaults.
 */
import type { Fields } from '../fields.ts';
import { textAt, type LocatedScalar } from '../located.ts';
import type { Report } from '../report.ts';
import { durationSeconds } from './values.ts';

const DEFAULT_SECONDS = 30;
const DEFAULT_RETRIES = 3;

/** `uses` is called with each text that has a secret in it, so that the container has its variables. */
export function healthProbe(
  service: Fields,
  report: Report,
  uses: (text: LocatedScalar) => void,
): Record<string, unknown> | undefined {
  if (!service.has('healthcheck')) return undefined;
  const check = service.map('healthcheck');
  const disabled = check.flag('disable') === true;
  const test = check.take('test');
  const interval = seconds(check, 'interval', report);
  const timeout = seconds(check, 'timeout', report);
  const retries = check.number('retries');
  // Until the first success a pod is not ready anyhow: no time has to be kept for its start.
  check.ignore('start_period', 'start_interval');
  check.rest();
  if (disabled || !test) return undefined;
  const items: readonly LocatedScalar[] =
    test.value.kind === 'list'
      ? test.value.items.flatMap((item) => (item.kind === 'scalar' ? [item] : []))
      : test.value.kind === 'scalar'
        ? [textAt(test.value.at, 'CMD-SHELL'), test.value]
        : [];
  const command = commandOf(items, report);
  if (!command) return undefined;
  for (const item of items) if (item.parts) uses(item);
  return {
    exec: { command },
    periodSeconds: Math.max(1, Math.round(interval ?? DEFAULT_SECONDS)),
    timeoutSeconds: Math.max(1, Math.round(timeout ?? DEFAULT_SECONDS)),
    failureThreshold: Math.max(1, Math.round(retries ?? DEFAULT_RETRIES)),
  };
}

function commandOf(items: readonly LocatedScalar[], report: Report): string[] | undefined {
  const [form, ...words] = items;
  if (!form || form.source === 'NONE') return undefined;
  if (form.source === 'CMD-SHELL') return ['/bin/sh', '-c', words.map(shellText).join(' ')];
  if (form.source !== 'CMD' || words.length === 0) {
    report.invalid(form.at, 'a healthcheck starts with CMD, CMD-SHELL or NONE');
    return undefined;
  }
  if (words.every(({ parts }) => !parts)) return words.map(({ source }) => source);
  // Kubernetes replaces nothing in the command of a probe: a shell does, which has the variables.
  return ['/bin/sh', '-c', words.map((word) => (word.parts ? `"${shellText(word)}"` : quoted(word.source))).join(' ')];
}

/** The text with secrets as variables of the shell. */
function shellText(scalar: LocatedScalar): string {
  return (scalar.parts ?? [scalar.source])
    .map((part) => (typeof part === 'string' ? part : `\${${part.secret}}`))
    .join('');
}

function quoted(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function seconds(check: Fields, name: string, report: Report): number | undefined {
  const scalar = check.scalar(name);
  if (!scalar) return undefined;
  const duration = durationSeconds(scalar.source);
  if (duration === undefined) report.invalid(scalar.at, `${check.where}.${name} is no duration`, 'write 10s, or 1m30s');
  return duration;
}

/**
 * Signals that a container may be asked to end with. Source: Kubernetes v1 API reference, Lifecycle (KEP-4960); numbers
 * are Linux', signal(7), real-time ones as the C library counts them. Free of schemas: a node agent uses it.
 */
const NUMBERS = {
  ABRT: 6,
  ALRM: 14,
  BUS: 7,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  FPE: 8,
  HUP: 1,
  ILL: 4,
  INT: 2,
  IO: 29,
  IOT: 6,
  KILL: 9,
  PIPE: 13,
  POLL: 29,
  PROF: 27,
  PWR: 30,
  QUIT: 3,
  SEGV: 11,
  STKFLT: 16,
  STOP: 19,
  SYS: 31,
  TERM: 15,
  TRAP: 5,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  USR1: 10,
  USR2: 12,
  VTALRM: 26,
  WINCH: 28,
  XCPU: 24,
  XFSZ: 25,
} as const;
const RTMIN = 34;
const RTMAX = 64;
const upTo = (last: number): readonly number[] => Array.from({ length: last + 1 }, (_, offset) => offset);

const BY_NAME: ReadonlyMap<string, number> = new Map([
  ...Object.entries(NUMBERS).map(([name, number]): [string, number] => [`SIG${name}`, number]),
  ...upTo(15).map((offset): [string, number] => [offset === 0 ? 'SIGRTMIN' : `SIGRTMIN+${offset}`, RTMIN + offset]),
  ...upTo(14).map((offset): [string, number] => [offset === 0 ? 'SIGRTMAX' : `SIGRTMAX-${offset}`, RTMAX - offset]),
]);

export const STOP_SIGNALS: readonly string[] = [...BY_NAME.keys()];

/** Undefined for what is no name of a signal. */
export function signalNumber(name: string): number | undefined {
  return BY_NAME.get(name);
}

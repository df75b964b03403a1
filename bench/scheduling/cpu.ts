/** Microseconds that this process had a processor: other load on the machine does not stretch them. */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

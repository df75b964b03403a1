/** Ports of a service. Source: Compose specification, "ports", "expose". */
import { Fields } from '../fields.ts';
import type { LocatedList, LocatedScalar, Located } from '../located.ts';
import type { Position } from '../../manifests/index.ts';
import type { Report } from '../report.ts';

export interface Port {
  readonly at: Position;
  /** In the container. */
  readonly target: number;
  /** On the machine. */
  readonly published?: number | undefined;
  readonly hostIP?: string | undefined;
  readonly protocol: 'TCP' | 'UDP';
  readonly appProtocol?: string | undefined;
}

/** More ports than this are a range that nobody means one by one. */
const MAX_PORTS = 200;
const SHORT = /^(?:(\[[^\]]*\]|\d+\.\d+\.\d+\.\d+):)?(?:(\d+(?:-\d+)?)?:)?(\d+(?:-\d+)?)(?:\/(\w+))?$/;

/** Of `ports` and `expose` together, each port of a container once. */
export function portsOf(service: Fields, report: Report): Port[] {
  const ports = [
    ...service.list('ports').flatMap((item) => published(item, service.where, report)),
    ...service.scalars('expose').flatMap((item) => fromShort(item, service.where, report, false)),
  ];
  const byTarget = new Map<string, Port>();
  for (const port of ports) {
    const key = `${port.protocol} ${port.target}`;
    const before = byTarget.get(key);
    if (before?.published !== undefined && port.published !== undefined && before.published !== port.published)
      report.changed(port.at, `port ${port.target} is published twice; ${before.published} is kept`);
    byTarget.set(key, before?.published !== undefined ? before : { ...before, ...port });
  }
  if (byTarget.size > MAX_PORTS)
    report.tooLarge(service.at, `${service.where} has more than ${MAX_PORTS} ports; the first are kept`);
  return [...byTarget.values()].slice(0, MAX_PORTS);
}

function published(item: Located, where: string, report: Report): Port[] {
  if (item.kind === 'scalar') return fromShort(item, where, report, true);
  if (item.kind === 'list') return refused(item, where, report);
  const fields = new Fields(item, `${where}.ports`, report);
  const target = fields.number('target');
  const published = fields.text('published');
  const protocol = protocolOf(fields.text('protocol'));
  const hostIP = fields.text('host_ip');
  const appProtocol = fields.text('app_protocol');
  fields.ignore('mode', 'name');
  fields.rest();
  const number = published === undefined ? undefined : Number(published.split('-')[0]);
  if (target === undefined || !isPort(target) || (number !== undefined && !isPort(number)) || !protocol)
    return refused(item, where, report);
  return [{ at: item.at, target, published: number, protocol, hostIP: address(hostIP), appProtocol }];
}

function fromShort(item: LocatedScalar, where: string, report: Report, mayPublish: boolean): Port[] {
  const match = SHORT.exec(item.source);
  const protocol = protocolOf(match?.[4]);
  const targets = range(match?.[3]);
  const publishedRange = range(match?.[2]);
  if (!targets || !protocol || (match?.[2] !== undefined && !publishedRange)) return refused(item, where, report);
  return targets.map((target, i) => ({
    at: item.at,
    target,
    published: mayPublish ? publishedRange?.[targets.length === publishedRange.length ? i : 0] : undefined,
    protocol,
    hostIP: address(match?.[1]),
  }));
}

function refused(item: LocatedScalar | LocatedList | Located, where: string, report: Report): [] {
  report.invalid(item.at, `${where}: this is no port that can be carried over`, 'write HOST:CONTAINER, TCP or UDP');
  return [];
}

function address(written: string | undefined): string | undefined {
  return written === undefined || written === '' || written === '0.0.0.0' || /^\[?::\]?$/.test(written)
    ? undefined
    : written.replace(/^\[(.*)\]$/, '$1');
}

function protocolOf(written = 'tcp'): Port['protocol'] | undefined {
  const name = written.toUpperCase();
  return name === 'TCP' || name === 'UDP' ? name : undefined;
}

function isPort(number: number): boolean {
  return Number.isInteger(number) && number > 0 && number < 65_536;
}

function range(written: string | undefined): number[] | undefined {
  if (written === undefined) return undefined;
  const [first = NaN, last = first] = written.split('-').map(Number);
  if (!isPort(first) || !isPort(last) || last < first || last - first > MAX_PORTS) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

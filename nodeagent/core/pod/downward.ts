/**
 * What a pod is told of itself: fields, requests and limits. Source: Kubernetes pkg/fieldpath/fieldpath.go,
 * pkg/api/v1/resource/helpers.go and pkg/kubelet/kubelet_resources.go.
 */
import type { Container, Pod, ResourceFieldRef } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { parseMilli, parseQuantity } from '../../../contracts/objects/quantity-value.ts';
import { DEFAULT_SERVICE_ACCOUNT } from '../../../contracts/objects/well-known.ts';
import type { Resolved } from './resolved.ts';

/** What only the running pod has; empty for files, which may not tell of it. */
export interface Addresses {
  readonly podIP: string;
  readonly hostIP: string;
  /** Those of IPv6, where there are any. */
  readonly podIPv6?: string | undefined;
  readonly hostIPv6?: string | undefined;
}

/** The text of one of the pod's fields. A label or annotation that it does not have is empty. */
export function fieldValue(path: string, { metadata, spec }: Pod, addresses: Addresses): Resolved<string> {
  const { podIP, hostIP } = addresses;
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (subscript)
    return { ok: true, value: readKey(metadata[subscript[1] as 'labels' | 'annotations'], subscript[2] ?? '') ?? '' };
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? 'default',
    'metadata.uid': metadata.uid ?? '',
    'metadata.labels': mapText(metadata.labels),
    'metadata.annotations': mapText(metadata.annotations),
    'spec.nodeName': spec.nodeName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? DEFAULT_SERVICE_ACCOUNT,
    'status.hostIP': hostIP,
    'status.hostIPs': joined(hostIP, addresses.hostIPv6),
    'status.podIP': podIP,
    'status.podIPs': joined(podIP, addresses.podIPv6),
  };
  const value = readKey(fields, path);
  return value === undefined ? { ok: false, message: `unsupported fieldPath: ${path}` } : { ok: true, value };
}

function joined(...addresses: readonly (string | undefined)[]): string {
  return addresses.filter((address) => address !== undefined && address !== '').join(',');
}

/** One `key="value"` a line, in the order of the keys, the value in Go's quotes. */
function mapText(map: Readonly<Record<string, string>> = {}): string {
  return Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuoted(value)}`)
    .join('\n');
}

const ESCAPES = new Map(
  Object.entries({
    '\u0007': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\\': '\\\\',
    '"': '\\"',
  }),
);

/** As Go's `%q` writes a text: what does not print is escaped. Source: the Go package strconv, Quote and IsPrint. */
function goQuoted(text: string): string {
  return `"${text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (one) => {
    const code = one.codePointAt(0) ?? 0;
    const hex = (digits: number): string => code.toString(16).padStart(digits, '0');
    return (
      ESCAPES.get(one) ??
      (code < 0x20 || code === 0x7f ? `\\x${hex(2)}` : code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`)
    );
  })}"`;
}

/** What a container's limit is where it has none: what the node has for pods. */
const LIMITED_BY_NODE: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];

/**
 * A container's request or limit in whole divisors, rounded up. `own`: the container that is meant where none is named.
 * `allocatable`: of the node; undefined while that is not known.
 */
export function resourceValue(
  ref: ResourceFieldRef,
  pod: Pod,
  own: Container | undefined,
  allocatable: Readonly<Record<string, string>> | undefined,
): Resolved<string> {
  const named = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container = ref.containerName === undefined ? own : named.find(({ name }) => name === ref.containerName);
  if (!container) return { ok: false, message: `container ${ref.containerName ?? ''} not found` };
  const [, list, resource] = /^(limits|requests)\.(.+)$/.exec(ref.resource) ?? [];
  if (list === undefined || resource === undefined)
    return { ok: false, message: `unsupported container resource : ${ref.resource}` };
  const ofContainer = readKey(container.resources[list as 'limits' | 'requests'], resource);
  // One without a limit may have what the pod may.
  const said =
    list === 'limits' && isNothing(ofContainer) ? readKey(pod.spec.resources?.limits, resource) : ofContainer;
  const ofNode = list === 'limits' && LIMITED_BY_NODE.includes(resource);
  if (ofNode && isNothing(said) && allocatable === undefined)
    return { ok: false, message: 'what the node has for its pods is not known yet' };
  const amount = ofNode && isNothing(said) ? (readKey(allocatable, resource) ?? '0') : (said ?? '0');
  return { ok: true, value: inDivisors(resource, amount, ref.divisor) };
}

const isNothing = (quantity: string | undefined): boolean => quantity === undefined || parseQuantity(quantity) === 0;

/** Cpu is divided by thousandths, all else by whole units. */
function inDivisors(resource: string, amount: string, divisor: string | undefined): string {
  const by = divisor === undefined || isNothing(divisor) ? '1' : divisor;
  const of = (quantity: string): number =>
    resource === 'cpu' ? parseMilli(quantity) : Math.ceil(parseQuantity(quantity));
  return String(Math.ceil(of(amount) / of(by)));
}

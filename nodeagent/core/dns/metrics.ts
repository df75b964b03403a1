/**
 * What the node's DNS server did, in Prometheus' text format, under the names that CoreDNS gives it, so that what reads a cluster's DNS
 * elsewhere reads it here. Source: CoreDNS, plugin/metrics, plugin/cache and plugin/pkg/proxy; Prometheus' exposition format 0.0.4.
 */
/** As CoreDNS tells apart; all others are `other`, so that no asker can make labels. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [47, 'NSEC'],
  [48, 'DNSKEY'],
  [65, 'HTTPS'],
  [255, 'ANY'],
]);
const CODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const HEADER_LENGTH = 12;

/** Of a message's first question. */
export function questionType(message: Uint8Array): string {
  let at = HEADER_LENGTH;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) at += length + 1;
  return TYPES.get((message[at + 1] ?? 0) * 256 + (message[at + 2] ?? 0)) ?? 'other';
}

/** Of an answer; one that is no message is none. */
function codeOf(answer: Uint8Array): string {
  const code = (answer[3] ?? 0) & 15;
  return CODES[code] ?? `RCODE${code}`;
}

/** Upper bounds in seconds: 0.25 ms, doubled up to 8.2 s. */
const BOUNDS = Array.from({ length: 16 }, (_, nth) => 0.00025 * 2 ** nth);

class Histogram {
  readonly #counts = BOUNDS.map(() => 0);
  #sum = 0;
  #count = 0;

  add(seconds: number): void {
    this.#sum += seconds;
    this.#count += 1;
    const at = BOUNDS.findIndex((bound) => seconds <= bound);
    if (at !== -1) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  lines(name: string, labels: string): string[] {
    let upTo = 0;
    const within = labels === '' ? '' : `${labels},`;
    const buckets = BOUNDS.map((bound, at) => {
      upTo += this.#counts[at] ?? 0;
      return `${name}_bucket{${within}le="${bound}"} ${upTo}`;
    });
    const shown = labels === '' ? '' : `{${labels}}`;
    return [
      ...buckets,
      `${name}_bucket{${within}le="+Inf"} ${this.#count}`,
      `${name}_sum${shown} ${this.#sum}`,
      `${name}_count${shown} ${this.#count}`,
    ];
  }
}

/** Counts since the agent's start. */
export class DnsMetrics {
  readonly #requests = new Map<string, number>();
  readonly #responses = new Map<string, number>();
  readonly #durations = new Histogram();
  readonly #forwarded = new Map<string, Histogram>();
  #hits = 0;
  #misses = 0;
  #failed = 0;
  #rejected = 0;

  /** `answer`: undefined where none was given. */
  answered(transport: 'udp' | 'tcp', message: Uint8Array, answer: Uint8Array | undefined, milliseconds: number): void {
    add(this.#requests, `proto="${transport}",type="${questionType(message)}"`);
    if (answer) add(this.#responses, `rcode="${codeOf(answer)}"`);
    this.#durations.add(milliseconds / 1000);
  }

  /** Whether an answer was there from before. */
  looked(isKnown: boolean): void {
    if (isKnown) this.#hits += 1;
    else this.#misses += 1;
  }

  /** What another server said, or undefined where it said nothing in time. */
  asked(answer: Uint8Array | undefined, milliseconds: number): void {
    if (!answer) {
      this.#failed += 1;
      return;
    }
    const code = codeOf(answer);
    const histogram = this.#forwarded.get(code) ?? new Histogram();
    this.#forwarded.set(code, histogram);
    histogram.add(milliseconds / 1000);
  }

  /** A question that was not passed on, as too many wait. */
  rejected(): void {
    this.#rejected += 1;
  }

  text(entries: number): string {
    const forward = 'coredns_proxy_request_duration_seconds';
    return [
      ...counter('coredns_dns_requests_total', 'Questions.', this.#requests),
      ...counter('coredns_dns_responses_total', 'Answers, by their code.', this.#responses),
      ...head('coredns_dns_request_duration_seconds', 'histogram', 'Time to an answer.'),
      ...this.#durations.lines('coredns_dns_request_duration_seconds', ''),
      ...counter('coredns_cache_hits_total', 'Answers that were kept.', new Map([['', this.#hits]])),
      ...counter('coredns_cache_misses_total', 'Questions without a kept answer.', new Map([['', this.#misses]])),
      ...head('coredns_cache_entries', 'gauge', 'Answers that are kept.'),
      `coredns_cache_entries ${entries}`,
      ...head(forward, 'histogram', 'Time to the answer of another server, by its code.'),
      ...[...this.#forwarded].flatMap(([code, one]) => one.lines(forward, `proxy_name="forward",rcode="${code}"`)),
      ...counter(
        'plumbline_dns_forward_failures_total',
        'Servers that gave no answer in time.',
        new Map([['', this.#failed]]),
      ),
      ...counter(
        'coredns_forward_max_concurrent_rejects_total',
        'Questions that were not passed on, as too many waited.',
        new Map([['', this.#rejected]]),
      ),
      '',
    ].join('\n');
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function head(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function counter(name: string, help: string, counts: ReadonlyMap<string, number>): string[] {
  const values = [...counts].map(([labels, count]) => `${name}${labels === '' ? '' : `{${labels}}`} ${count}`);
  return [...head(name, 'counter', help), ...values];
}

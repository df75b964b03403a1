/**
 * Policies for nine pods (x, y and z with a, b and c each), and which of their connections they leave: for packets that are walked through rules, and for
 * packets that are sent. What is shown follows the subjects of Kubernetes' own tests (test/e2e/network/netpol).
 */

export interface Connection {
  /** `x/a` */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

export interface PolicyCase {
  readonly name: string;
  /** Specs by the namespace they are in. */
  readonly policies: readonly (readonly [namespace: string, spec: Record<string, unknown>])[];
  /** Labels of pods that are others than `pod: NAME`. */
  readonly pods?: Readonly<Record<string, Record<string, string>>>;
  /** Labels of namespaces that are others than `ns: NAME`. */
  readonly spaces?: Readonly<Record<string, Record<string, string>>>;
  /** Whether it is let through; one pod to itself always is, and is not asked. */
  allows(connection: Connection): boolean;
}

const spaceOf = (pod: string): string => pod.slice(0, 1);
const nameOf = (pod: string): string => pod.slice(2);
const label = (pod: string): object => ({ podSelector: { matchLabels: { pod } } });
const inSpace = (ns: string): object => ({ namespaceSelector: { matchLabels: { ns } } });
const both = (ns: string, pod: string): object => ({ ...inSpace(ns), ...label(pod) });
const tcp = (port?: number | string, endPort?: number): object => ({
  protocol: 'TCP',
  ...(port !== undefined && { port }),
  ...(endPort !== undefined && { endPort }),
});
const udp = (port: number | string): object => ({ protocol: 'UDP', port });
const A = { matchLabels: { pod: 'a' } };
const isTcp = (c: Connection, port?: number): boolean =>
  c.protocol === 'TCP' && (port === undefined || c.port === port);

/** Only connections to pods that `about` wants are looked at by `rule`. */
const into =
  (about: (pod: string) => boolean, rule: (c: Connection) => boolean) =>
  (c: Connection): boolean =>
    !about(c.to) || rule(c);
const outOf =
  (about: (pod: string) => boolean, rule: (c: Connection) => boolean) =>
  (c: Connection): boolean =>
    !about(c.from) || rule(c);
const X = (pod: string): boolean => spaceOf(pod) === 'x';
const XA = (pod: string): boolean => pod === 'x/a';

const ingress = (
  name: string,
  rules: readonly object[],
  allows: (c: Connection) => boolean,
  more = {},
): PolicyCase => ({
  name,
  policies: [['x', { podSelector: A, policyTypes: ['Ingress'], ingress: rules }]],
  allows: into(XA, allows),
  ...more,
});
const egress = (name: string, rules: readonly object[], allows: (c: Connection) => boolean, more = {}): PolicyCase => ({
  name,
  policies: [['x', { podSelector: A, policyTypes: ['Egress'], egress: rules }]],
  allows: outOf(XA, allows),
  ...more,
});

/** Both directions of the same peers. */
const twice = (name: string, peers: readonly object[], isPeer: (pod: string) => boolean, more = {}): PolicyCase[] => [
  ingress(`takes from ${name}`, [{ from: peers }], ({ from }) => isPeer(from), more),
  egress(`opens to ${name}`, [{ to: peers }], ({ to }) => isPeer(to), more),
];
/** The same at some ports. */
const atPorts = (name: string, ports: readonly object[], isPort: (c: Connection) => boolean): PolicyCase[] => [
  ingress(`takes at ${name}`, [{ ports }], isPort),
  egress(`opens at ${name}`, [{ ports }], isPort),
  ingress(`takes at ${name} from one pod`, [{ from: [both('y', 'b')], ports }], (c) => c.from === 'y/b' && isPort(c)),
  egress(`opens at ${name} to one pod`, [{ to: [both('y', 'b')], ports }], (c) => c.to === 'y/b' && isPort(c)),
];

export const POLICY_CASES: readonly PolicyCase[] = [
  { name: 'none: all is open', policies: [], allows: () => true },
  { name: 'default deny of ingress', policies: [['x', { podSelector: {} }]], allows: into(X, () => false) },
  {
    name: 'default deny of egress',
    policies: [['x', { podSelector: {}, policyTypes: ['Egress'] }]],
    allows: outOf(X, () => false),
  },
  {
    name: 'default deny of both',
    policies: [['x', { policyTypes: ['Ingress', 'Egress'] }]],
    allows: ({ from, to }) => !X(from) && !X(to),
  },
  {
    name: 'default deny in two namespaces',
    policies: [
      ['x', {}],
      ['y', {}],
    ],
    allows: into(
      (pod) => spaceOf(pod) !== 'z',
      () => false,
    ),
  },
  {
    name: 'a rule that is empty: all is allowed',
    policies: [['x', { ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] }]],
    allows: () => true,
  },
  {
    name: 'egress rules without policyTypes close ingress too',
    policies: [['x', { podSelector: A, egress: [{ to: [label('b')] }] }]],
    allows: ({ from, to }) => !XA(to) && (!XA(from) || to === 'x/b'),
  },
  {
    name: 'rules of a type that policyTypes leaves out do nothing',
    policies: [['x', { podSelector: A, policyTypes: ['Ingress'], ingress: [{}], egress: [{ to: [label('b')] }] }]],
    allows: () => true,
  },
  {
    name: 'a selector that no pod has',
    policies: [['x', { podSelector: { matchLabels: { pod: 'nobody' } } }]],
    allows: () => true,
  },
  {
    name: 'a selector of pods by an expression',
    policies: [['x', { podSelector: { matchExpressions: [{ key: 'pod', operator: 'NotIn', values: ['a', 'b'] }] } }]],
    allows: into(
      (pod) => pod === 'x/c',
      () => false,
    ),
  },
  {
    name: 'a pod with other labels is not selected',
    policies: [['x', { podSelector: A }]],
    pods: { 'x/a': { pod: 'other' } },
    allows: () => true,
  },
  ...twice('a pod of the namespace', [label('b')], (pod) => pod === 'x/b'),
  ...twice('all pods of the namespace', [{ podSelector: {} }], X),
  ...twice('another namespace', [inSpace('y')], (pod) => spaceOf(pod) === 'y'),
  ...twice('all namespaces', [{ namespaceSelector: {} }], () => true),
  ...twice('a pod of another namespace', [both('y', 'a')], (pod) => pod === 'y/a'),
  ...twice(
    'pods of that name of all namespaces',
    [{ namespaceSelector: {}, ...label('b') }],
    (pod) => nameOf(pod) === 'b',
  ),
  ...twice(
    'a namespace or a pod, as two peers',
    [inSpace('y'), label('b')],
    (pod) => spaceOf(pod) === 'y' || pod === 'x/b',
  ),
  ...twice(
    'namespaces by an expression',
    [{ namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['x'] }] } }],
    (pod) => !X(pod),
  ),
  ...twice(
    'a namespace by its name',
    [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'z' } } }],
    (pod) => spaceOf(pod) === 'z',
  ),
  ...twice(
    'pods by expressions',
    [
      {
        namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'In', values: ['y', 'z'] }] },
        podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b', 'c'] }] },
      },
    ],
    (pod) => !X(pod) && nameOf(pod) !== 'a',
  ),
  ...twice(
    'pods without a label',
    [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'extra', operator: 'DoesNotExist' }] } }],
    (pod) => pod !== 'y/b',
    { pods: { 'y/b': { pod: 'b', extra: 'yes' } } },
  ),
  ...twice(
    'namespaces with a label that one has',
    [{ namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] } }],
    (pod) => spaceOf(pod) === 'z',
    { spaces: { z: { ns: 'z', team: 'red' } } },
  ),
  ...twice(
    'many pods, each as a peer',
    [
      both('y', 'a'),
      both('y', 'b'),
      both('z', 'a'),
      both('z', 'c'),
      label('b'),
      label('c'),
      { ipBlock: { cidr: '203.0.113.0/24' } },
    ],
    (pod) => ['y/a', 'y/b', 'z/a', 'z/c', 'x/b', 'x/c'].includes(pod),
  ),
  egress(
    'opens to many pods at a named port',
    [
      {
        to: [both('y', 'a'), both('y', 'b'), both('z', 'a'), both('z', 'c'), label('b')],
        ports: [tcp('serve-81-tcp')],
      },
    ],
    (c) => ['y/a', 'y/b', 'z/a', 'z/c', 'x/b'].includes(c.to) && isTcp(c, 81),
  ),
  ...twice('a namespace that is not there', [inSpace('nowhere')], () => false),
  ...atPorts('one port', [tcp(80)], (c) => isTcp(c, 80)),
  ...atPorts('a protocol', [tcp()], (c) => isTcp(c)),
  ...atPorts('a range of ports', [tcp(80, 90)], (c) => isTcp(c)),
  ...atPorts('a range that has one of them', [tcp(81, 65_535)], (c) => isTcp(c, 81)),
  ...atPorts(
    'two ports of two protocols',
    [tcp(81), udp(80)],
    (c) => isTcp(c, 81) || (c.protocol === 'UDP' && c.port === 80),
  ),
  ...atPorts('a named port', [tcp('serve-81-tcp')], (c) => isTcp(c, 81)),
  ...atPorts(
    'a named port and a number',
    [tcp('serve-80-tcp'), udp(81)],
    (c) => isTcp(c, 80) || (c.protocol === 'UDP' && c.port === 81),
  ),
  ...atPorts('a name that no port has', [tcp('nobody')], () => false),
  ...atPorts('a name that is of another protocol', [udp('serve-80-tcp')], () => false),
  ingress('takes at SCTP', [{ ports: [{ protocol: 'SCTP', port: 80 }] }], (c) => c.protocol === 'SCTP'),
  {
    name: 'two policies allow together',
    policies: [
      ['x', { podSelector: A, ingress: [{ from: [inSpace('y')] }] }],
      ['x', { podSelector: {}, ingress: [{ from: [label('b')], ports: [tcp(80)] }] }],
    ],
    allows: into(X, (c) => (XA(c.to) && spaceOf(c.from) === 'y') || (c.from === 'x/b' && isTcp(c, 80))),
  },
  {
    name: 'deny and allow: what one policy allows is allowed',
    policies: [
      ['x', {}],
      ['x', { podSelector: A, ingress: [{}] }],
    ],
    allows: into(X, ({ to }) => XA(to)),
  },
  {
    name: 'egress of one and ingress of the other both have to allow',
    policies: [
      ['x', { podSelector: A, policyTypes: ['Egress'], egress: [{ to: [inSpace('y')] }] }],
      ['y', { podSelector: A, ingress: [{ from: [inSpace('z')] }] }],
    ],
    allows: (c) => (!XA(c.from) || spaceOf(c.to) === 'y') && (c.to !== 'y/a' || spaceOf(c.from) === 'z'),
  },
  {
    name: 'rules for one peer at one port, and for another at another',
    policies: [
      [
        'x',
        {
          podSelector: A,
          ingress: [
            { from: [inSpace('y')], ports: [tcp(80)] },
            { from: [inSpace('z')], ports: [tcp(81)] },
          ],
        },
      ],
    ],
    allows: into(XA, (c) => (spaceOf(c.from) === 'y' && isTcp(c, 80)) || (spaceOf(c.from) === 'z' && isTcp(c, 81))),
  },
  {
    name: 'policies of one namespace say nothing of others',
    policies: [['y', { podSelector: A, policyTypes: ['Ingress', 'Egress'] }]],
    allows: ({ from, to }) => from !== 'y/a' && to !== 'y/a',
  },
];

/**
 * The codes of errors, by section of docs/errors.md, each with what is done after it: `backoff`, tried again with growing
 * pauses; `after`, looked at again when it is time; `never`, not until somebody changes something.
 */

const GIT = {
  GitUnreachable: 'backoff',
  GitAccessDenied: 'never',
  GitCertificateRefused: 'never',
  GitHostKeyUnknown: 'never',
  GitHostKeyChanged: 'never',
  GitUrlInvalid: 'never',
  RepositoryNotFound: 'never',
  RevisionNotFound: 'never',
  ObjectMissing: 'backoff',
  ObjectUnreadable: 'backoff',
  GitTimeout: 'backoff',
  RepositoryTooLarge: 'never',
  BlobTooLarge: 'never',
  TreeTooLarge: 'never',
  TreeInvalid: 'never',
  PushRejected: 'never',
  RefContended: 'backoff',
  RenderedBranchTaken: 'never',
  WebhookUnavailable: 'never',
} as const;

const SYNC = {
  SyncConflict: 'backoff',
  NothingToRollBackTo: 'never',
  RevisionInvalid: 'never',
} as const;

const RENDERING = {
  EngineMissing: 'backoff',
  SandboxMissing: 'backoff',
  ChartUnavailable: 'backoff',
  SourceUnavailable: 'backoff',
  SubmoduleUnavailable: 'backoff',
  ForgeUnreachable: 'backoff',
  ForgeRefused: 'never',
} as const;

const LIVE_STATE = {
  StoreUnavailable: 'backoff',
  LeaseLost: 'backoff',
  StoreLost: 'backoff',
  StoreTampered: 'backoff',
  StoreRefused: 'never',
  SealKeyInvalid: 'never',
  SealBroken: 'never',
  RedisEvicts: 'never',
  WriteConflict: 'backoff',
  AdmissionRefused: 'never',
  QueueUnavailable: 'backoff',
  RedisMissing: 'never',
  RedisTooOld: 'never',
  RedisInUse: 'never',
  RedisSocketPath: 'never',
  RedisNotStarted: 'backoff',
  RedisUrlInvalid: 'never',
} as const;

const SECRETS = {
  AgeRecipientInvalid: 'never',
  SecretFileInvalid: 'never',
  SopsRulesInvalid: 'never',
} as const;

const NODES = {
  NodeUnreachable: 'backoff',
  HostKeyChanged: 'never',
  HostKeyInvalid: 'never',
  AuthenticationFailed: 'never',
  PrivateKeyInvalid: 'never',
  ConnectionLost: 'backoff',
  TransportClosed: 'never',
  CommandNotQuotable: 'never',
  TooManyStreams: 'backoff',
  UploadFailed: 'backoff',
  UploadCorrupted: 'backoff',
  UpgradeRefused: 'backoff',
  AgentUnreachable: 'backoff',
  AgentFailed: 'backoff',
  AgentNotAnswering: 'backoff',
  AgentUpgradeFailed: 'never',
  NodeNotPrepared: 'after',
  NodeUnsupported: 'never',
  NodeCommandFailed: 'backoff',
  RemoveIncomplete: 'backoff',
  RuntimeUnavailable: 'never',
  BundleMissing: 'never',
  AnswerTooLarge: 'backoff',
  EpochImplausible: 'never',
  StaleEpoch: 'never',
  AssignmentRejected: 'backoff',
  MachineUnknown: 'after',
} as const;

const METRICS = {
  PrometheusUnavailable: 'backoff',
  PrometheusRefused: 'never',
} as const;

const CERTIFICATES = {
  AcmeUnavailable: 'backoff',
  DnsProviderFailed: 'backoff',
  AcmeRefused: 'never',
} as const;

const HOME = {
  ControlPlaneRunning: 'never',
  TokenKeyInvalid: 'never',
  SshKeyUnreadable: 'never',
} as const;

/**
 * Every code of a PlumbError. One that is missing here is refused by the compiler, one that docs/errors.md lacks by a
 * test.
 */
export const ERROR_CODES = {
  ...GIT,
  ...SYNC,
  ...RENDERING,
  ...SECRETS,
  ...LIVE_STATE,
  ...NODES,
  ...METRICS,
  ...CERTIFICATES,
  ...HOME,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
export type Retry = 'backoff' | 'after' | 'never';
/** Codes after which that is done. */
export type CodeFor<R extends Retry> = { [C in ErrorCode]: (typeof ERROR_CODES)[C] extends R ? C : never }[ErrorCode];

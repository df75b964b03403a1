/**
 * Codes of everything that can be wrong with a revision. Stable: scripts match on them. Explained in docs/errors.md.
 */
export const DIAGNOSTIC_CODES = [
  // Files of the tree
  'PathRefused',
  'SymlinkRefused',
  'SubmoduleRefused',
  'FileTooLarge',
  'RevisionTooLarge',
  'NotUtf8',
  'ControlCharacter',
  'LfsPointer',
  'NeedsRendering',
  // YAML
  'InvalidYaml',
  'DuplicateKey',
  'TooComplex',
  'AliasBomb',
  'TooManyErrors',
  // What a document is
  'NotAnObject',
  'UnknownKind',
  'ManagedKind',
  'WrongApiVersion',
  // Its fields
  'UnknownField',
  'UnsupportedField',
  'UnsupportedValue',
  'MissingField',
  'WrongType',
  'InvalidValue',
  'StatusInManifest',
  'ForbiddenField',
  'NamespaceNotAllowed',
  'ReservedAnnotation',
  // Fields against each other
  'SelectorMismatch',
  'DuplicateName',
  'DuplicateEnv',
  'UnknownVolume',
  'UnknownPort',
  'RequestOverLimit',
  'UnknownResource',
  'InvalidExpression',
  'ExpressionMayFail',
  'UnknownPlugin',
  // Objects against each other
  'DuplicateObject',
  'UnknownNamespace',
  'MultipleClusters',
  'RangeOverlap',
  'RangeTooSmall',
  'DuplicateMachine',
  'NodePortOutOfRange',
  'NodePortClash',
  'ClusterIPOutOfRange',
  'ClusterIPClash',
  'MissingReference',
  'TargetPortNotFound',
  'MultipleConfigurations',
  'MultipleGlobalDefaults',
  'UnknownPriorityClass',
  'UnknownScheduler',
  'UnknownServiceAccount',
  'BudgetAllowsNothing',
  'QuotaExceeded',
] as const;
export type DiagnosticCode = (typeof DIAGNOSTIC_CODES)[number];

/** Codes after which nobody knows what else a file would have held. */
export const UNREAD_CODES: ReadonlySet<string> = new Set<DiagnosticCode>([
  'SymlinkRefused',
  'SubmoduleRefused',
  'PathRefused',
  'FileTooLarge',
  'NotUtf8',
  'ControlCharacter',
  'LfsPointer',
  'InvalidYaml',
  'TooComplex',
  'AliasBomb',
  'NeedsRendering',
]);

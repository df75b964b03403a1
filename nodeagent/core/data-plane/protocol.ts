/** What has ports. */
export type Protocol = 'TCP' | 'UDP' | 'SCTP';

const mebibyte = 1024 * 1024;

/** From where on something is a finding. */
export const thresholds = {
  /** Of what Redis may use. */
  memoryShareWarning: 0.8,
  memoryShareCritical: 0.95,
  /** Below this, fragmentation and the size of a fork are of no account. */
  memoryBytesMin: 64 * mebibyte,
  fragmentationMax: 1.5,
  forkMsMax: 500,
  latencyMsMax: 100,
  slowCommandMsMax: 100,
  slowCommandAgeSeconds: 3_600,
  connectionShareWarning: 0.8,
  connectionShareCritical: 0.95,
  hitRatioMin: 0.8,
  /** With fewer lookups a ratio says nothing. */
  lookupsMin: 1_000,
  passwordLengthMin: 16,
  replicaLagSeconds: 10,
  replicaLagBytes: 64 * mebibyte,
  retainedWalBytes: 1024 * mebibyte,
  keyBytesMax: mebibyte,
  /** Of roles that share a server. */
  sharedOperationsMax: 5_000,
  streamLag: 1_000,
  pendingSeconds: 60,
  requestSeconds: 10,
  jobSeconds: 30,
  outboxSeconds: 30,
  clockSkewMs: 1_000,
  certificateDaysWarning: 30,
  certificateDaysCritical: 7,
  deadRowShare: 0.2,
  deadRowsMin: 10_000,
  transactionSeconds: 300,
  lockSeconds: 30,
  transactionAge: 1_000_000_000,
  databaseHitRatioMin: 0.9,
  databaseBlocksMin: 100_000,
} as const;

export type Thresholds = { readonly [Name in keyof typeof thresholds]: number };

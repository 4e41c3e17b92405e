/** An identity provider as its administrator described it. */
export interface SamlPeer {
  /** The Issuer of all that it says. */
  readonly entityId: string;
  /** Where it takes our requests, by redirect. */
  readonly signInUrl: string;
  /** In PEM; several while it changes its key. */
  readonly certificates: readonly string[];
  readonly clockSkewSeconds: number;
}

/** Ourselves, as that identity provider knows us. */
export interface SamlServiceProvider {
  readonly entityId: string;
  /** Where the browser brings us the answers. */
  readonly consumerUrl: string;
}

/** Both in PEM. */
export interface SamlKey {
  readonly privateKey: string;
  readonly certificate: string;
}

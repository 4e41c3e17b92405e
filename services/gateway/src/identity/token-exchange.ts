import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RevocationView } from '#libs/identity';

interface Exchanged {
  readonly accessToken: string;
  /** From then on the secret is exchanged anew. */
  readonly staleAtMs: number;
}

interface IssuedToken {
  readonly accessToken: string;
  readonly expiresAt?: Date | undefined;
}

/** Exchanged this long before a token's end, so that it does not end on its way through the services. */
const marginMs = 30_000;
const secretsMax = 10_000;

/** Short access tokens for what callers bring instead, kept until they end. What is brought is held as hashes only. */
export class TokenExchange {
  private readonly tokens = new LRUCache<string, Promise<Exchanged>>({ max: secretsMax });

  constructor(
    /** Knows the time by which tokens end; the clock of this machine may be wrong. */
    private readonly revocations: Pick<RevocationView, 'nowMs'>,
    private readonly issue: (secret: string, requestId: string) => Promise<IssuedToken>,
  ) {}

  async accessToken(secret: string, requestId: string): Promise<string> {
    const key = hashOf(secret);
    const known = this.tokens.get(key);
    if (known) {
      const { accessToken, staleAtMs } = await known;
      if (this.revocations.nowMs < staleAtMs) return accessToken;
    }
    // Whoever comes meanwhile waits for the same exchange, unless another has already begun a newer one.
    const latest = this.tokens.get(key);
    if (latest && latest !== known) return (await latest).accessToken;
    const exchange = this.exchange(secret, requestId);
    this.tokens.set(key, exchange);
    try {
      return (await exchange).accessToken;
    } catch (error) {
      if (this.tokens.peek(key) === exchange) this.tokens.delete(key);
      throw error;
    }
  }

  /** The token that was made of this is refused: it is exchanged anew. */
  forget(secret: string): void {
    this.tokens.delete(hashOf(secret));
  }

  private async exchange(secret: string, requestId: string): Promise<Exchanged> {
    const { accessToken, expiresAt } = await this.issue(secret, requestId);
    const now = this.revocations.nowMs;
    const endsInMs = (expiresAt?.getTime() ?? now) - now;
    return { accessToken, staleAtMs: now + Math.max(endsInMs - marginMs, endsInMs / 2) };
  }
}

function hashOf(secret: string): string {
  return hash('sha256', secret, 'base64');
}

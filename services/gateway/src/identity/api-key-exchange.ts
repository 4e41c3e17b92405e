import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { BusClient } from '#libs/bus';
import { authRequests } from '#libs/contracts';
import { type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';

interface Exchanged {
  readonly accessToken: string;
  /** From then on the key is exchanged anew. */
  readonly staleAtMs: number;
}

/** Exchanged this long before a token's end, so that it does not end on its way through the services. */
const marginMs = 30_000;
const keysMax = 10_000;

/** Short access tokens for API keys. Keys are held as hashes only. */
@Injectable()
export class ApiKeyExchange {
  private readonly tokens = new LRUCache<string, Promise<Exchanged>>({ max: keysMax });

  constructor(
    private readonly bus: BusClient,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async accessToken(secret: string, requestId: string): Promise<string> {
    const key = hashOf(secret);
    const known = this.tokens.get(key);
    if (known) {
      const { accessToken, staleAtMs } = await known;
      if (this.clock.nowMs() < staleAtMs) return accessToken;
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

  /** The token that was made of this key is refused; the next request exchanges it anew and learns why. */
  forget(secret: string): void {
    this.tokens.delete(hashOf(secret));
  }

  private async exchange(secret: string, requestId: string): Promise<Exchanged> {
    const context = { workspaceId: '', actor: { case: undefined }, requestId };
    const { accessToken, expiresAt } = await this.bus.request(authRequests.exchangeApiKey, { secret }, { context });
    const now = this.clock.nowMs();
    const endsInMs = (expiresAt?.getTime() ?? now) - now;
    return { accessToken, staleAtMs: now + Math.max(endsInMs - marginMs, endsInMs / 2) };
  }
}

function hashOf(secret: string): string {
  return hash('sha256', secret, 'base64');
}

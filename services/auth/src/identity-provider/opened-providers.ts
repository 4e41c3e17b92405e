import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { OpenProvider, ProviderRow } from './identity-provider.types.js';
import type { ProviderKind } from './provider-kind.js';
import { ProviderKinds } from './provider-kinds.js';
import { ProviderSecrets } from './provider-secrets.service.js';

export interface OpenedProvider {
  readonly kind: ProviderKind;
  readonly provider: OpenProvider;
}

const providersMax = 500;
/** A master key that is taken away closes what was opened by it after this at the latest. */
const knownMs = 600_000;

/** Providers with their secrets, opened and checked once for each state of a row rather than at each request. */
@Injectable()
export class OpenedProviders {
  private readonly known = new LRUCache<string, OpenedProvider>({ max: providersMax, ttl: knownMs });

  constructor(
    private readonly kinds: ProviderKinds,
    private readonly secrets: ProviderSecrets,
  ) {}

  /** As it was opened last, which it may not be any more. */
  last(id: string): OpenedProvider | undefined {
    return this.known.get(id);
  }

  /** @throws AppError `secret.unreadable` */
  of(row: ProviderRow): OpenedProvider {
    const known = this.known.get(row.id);
    if (known?.provider.rowState === row.rowState) return known;
    const kind = this.kinds.get(row.kind);
    const options = kind.options.parse({ ...row.options, ...this.secrets.open(row) });
    const { id, workspaceId, name, emailDomains, rules, version, rowState } = row;
    const provider = { id, workspaceId, name, kind: row.kind, emailDomains, rules, version, rowState, options };
    const opened = { kind, provider };
    this.known.set(id, opened);
    return opened;
  }
}

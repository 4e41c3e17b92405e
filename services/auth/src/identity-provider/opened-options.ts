import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { ProviderRow } from './identity-provider.types.js';
import type { ProviderKind } from './provider-kind.js';
import { ProviderSecrets } from './provider-secrets.service.js';

interface Opened {
  readonly row: Pick<ProviderRow, 'workspaceId' | 'kind' | 'options' | 'sealedSecrets'>;
  readonly options: unknown;
}

const providersMax = 500;
/** A master key that is taken away closes what was opened by it after this at the latest. */
const knownMs = 600_000;

/** The options of providers with their secrets, opened and checked once for each state of a row rather than at each request. */
@Injectable()
export class OpenedOptions {
  private readonly known = new LRUCache<string, Opened>({ max: providersMax, ttl: knownMs });

  constructor(private readonly secrets: ProviderSecrets) {}

  /** @throws AppError `secret.unreadable` */
  of(row: ProviderRow, kind: ProviderKind): unknown {
    const { id, workspaceId, kind: name, options: plain, sealedSecrets } = row;
    const read = { workspaceId, kind: name, options: plain, sealedSecrets };
    const known = this.known.get(id);
    // What was sealed anew, or changed behind our back, is opened anew.
    if (known && isDeepStrictEqual(known.row, read)) return known.options;
    const options = kind.options.parse({ ...plain, ...this.secrets.open(row) });
    this.known.set(id, { row: read, options });
    return options;
  }
}

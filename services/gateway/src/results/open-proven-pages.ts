import { serviceContext, type BusClient } from '#libs/bus';
import { resultsRequests } from '#libs/contracts';
import { DataKeys } from '#libs/encryption';
import { openPageStore } from '#libs/result-store';
import type { HealthRegistry } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { ProvenPagesStore } from './proven-pages.store.js';
import type { RedisPageCopies } from './redis-page-copies.js';

/** The store that the settings name; the gateway is not ready where it is not the results service's. */
export function openProvenPages(
  { store, masterKeys }: Pick<GatewayConfig, 'store' | 'masterKeys'>,
  bus: BusClient,
  health: HealthRegistry,
  copies: RedisPageCopies,
): ProvenPagesStore {
  const pages = new ProvenPagesStore(openPageStore(store, DataKeys.forReading(masterKeys), copies), async () => {
    const { identity } = await bus.request(resultsRequests.getStore, {}, { context: serviceContext('gateway', '') });
    return identity;
  });
  health.register('result-store', async () => void (await pages.prove()));
  return pages;
}

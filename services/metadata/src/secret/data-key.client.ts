import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { BusClient, serviceContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { authRequests } from '#libs/contracts';
import { unwrapDataKey, type DataKey, type MasterKeys } from '#libs/encryption';
import type { MetadataConfig } from '../metadata.config.js';
import { MASTER_KEYS } from './master-keys.js';

const workspacesMax = 1_000;

/** The data keys of workspaces: kept by auth under the master key, opened here with the master key of our own settings. */
@Injectable()
export class DataKeyClient {
  private readonly keys: LRUCache<string, Promise<DataKey>>;

  constructor(
    private readonly bus: BusClient,
    @Inject(MASTER_KEYS) private readonly masterKeys: MasterKeys,
    @InjectConfig() config: Pick<MetadataConfig, 'dataKeyMaxAgeSeconds'>,
  ) {
    this.keys = new LRUCache({ max: workspacesMax, ttl: config.dataKeyMaxAgeSeconds * 1_000 });
  }

  /** Asked for once by all who want it at the same time; a failure is not remembered. */
  async get(workspaceId: string): Promise<DataKey> {
    const known = this.keys.get(workspaceId);
    if (known) return known;
    const asked = this.ask(workspaceId);
    this.keys.set(workspaceId, asked);
    try {
      return await asked;
    } catch (error) {
      if (this.keys.peek(workspaceId) === asked) this.keys.delete(workspaceId);
      throw error;
    }
  }

  private async ask(workspaceId: string): Promise<DataKey> {
    const context = serviceContext('metadata', workspaceId);
    const wrapped = await this.bus.request(authRequests.getDataKey, { workspaceId }, { context });
    return unwrapDataKey(wrapped, this.masterKeys, workspaceId);
  }
}

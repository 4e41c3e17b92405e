import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { InjectConfig } from '#libs/config';
import { MasterKeys, unwrapDataKey, type DataKey } from '#libs/encryption';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AuthClient } from '../plan/auth.client.js';

const workspacesMax = 1_000;

/** The data keys of workspaces, opened with the master keys of our own settings. A workspace's never changes. */
@Injectable()
export class DataKeys {
  private readonly keys = new LRUCache<string, DataKey>({ max: workspacesMax });
  private readonly masterKeys: MasterKeys;

  constructor(
    private readonly auth: AuthClient,
    @InjectConfig() { masks }: Pick<OrchestratorConfig, 'masks'>,
  ) {
    this.masterKeys = MasterKeys.parse(masks.masterKeys);
  }

  async get(workspaceId: string): Promise<DataKey> {
    const known = this.keys.get(workspaceId);
    if (known) return known;
    const key = unwrapDataKey(await this.auth.getDataKey(workspaceId), this.masterKeys, workspaceId);
    this.keys.set(workspaceId, key);
    return key;
  }
}

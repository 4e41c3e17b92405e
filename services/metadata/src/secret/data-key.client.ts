import { Inject, Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { authRequests } from '#libs/contracts';
import { DataKeys, type MasterKeys, type WrappedDataKey } from '#libs/encryption';
import type { MetadataConfig } from '../metadata.config.js';
import { MASTER_KEYS } from './master-keys.js';

/** The data keys of workspaces, opened with the master keys of our own settings. */
@Injectable()
export class DataKeyClient extends DataKeys {
  constructor(
    private readonly bus: BusClient,
    @Inject(MASTER_KEYS) masterKeys: MasterKeys,
    @InjectConfig() { dataKeyMaxAgeSeconds }: Pick<MetadataConfig, 'dataKeyMaxAgeSeconds'>,
  ) {
    super(masterKeys, (workspaceId) => this.ask(workspaceId), dataKeyMaxAgeSeconds * 1_000);
  }

  /** The key as it is wrapped now, whatever is remembered. */
  ask(workspaceId: string): Promise<WrappedDataKey> {
    const context = serviceContext('metadata', workspaceId);
    return this.bus.request(authRequests.getDataKey, { workspaceId }, { context });
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { authRequests } from '#libs/contracts';
import { DataKeys, type MasterKeys } from '#libs/encryption';
import type { MetadataConfig } from '../metadata.config.js';
import { MASTER_KEYS } from './master-keys.js';

/** The data keys of workspaces, opened with the master keys of our own settings. */
@Injectable()
export class DataKeyClient extends DataKeys {
  constructor(
    bus: BusClient,
    @Inject(MASTER_KEYS) masterKeys: MasterKeys,
    @InjectConfig() { dataKeyMaxAgeSeconds }: Pick<MetadataConfig, 'dataKeyMaxAgeSeconds'>,
  ) {
    const ask = (workspaceId: string) =>
      bus.request(authRequests.getDataKey, { workspaceId }, { context: serviceContext('metadata', workspaceId) });
    super(masterKeys, ask, dataKeyMaxAgeSeconds * 1_000);
  }
}

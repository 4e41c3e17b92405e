import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { DataKeys as WorkspaceDataKeys, MasterKeys } from '#libs/encryption';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AuthClient } from '../plan/auth.client.js';

/** The data keys of workspaces, opened with the master keys of our own settings. */
@Injectable()
export class DataKeys extends WorkspaceDataKeys {
  constructor(auth: AuthClient, @InjectConfig() { masks }: Pick<OrchestratorConfig, 'masks'>) {
    super(MasterKeys.parse(masks.masterKeys), (workspaceId) => auth.getDataKey(workspaceId));
  }
}

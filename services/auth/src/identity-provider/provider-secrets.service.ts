import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { openText, sealText, unwrapDataKey } from '#libs/encryption';
import type { JsonObject } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { WorkspaceService } from '../workspace/workspace.service.js';
import type { ProviderRow } from './identity-provider.types.js';

/** Secrets of providers, sealed by the data key of their workspace and bound to their row. */
@Injectable()
export class ProviderSecrets {
  constructor(
    private readonly workspaces: WorkspaceService,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'masterKeys'>,
  ) {}

  /** What is to be kept of secrets; of none, nothing. */
  async seal(
    { workspaceId, id }: Pick<ProviderRow, 'workspaceId' | 'id'>,
    secrets: JsonObject,
  ): Promise<Pick<ProviderRow, 'secretNames' | 'sealedSecrets'>> {
    const secretNames = Object.keys(secrets).sort();
    if (secretNames.length === 0) return { secretNames, sealedSecrets: null };
    const wrapped = await this.workspaces.getDataKey(workspaceId);
    const dataKey = unwrapDataKey(wrapped, this.config.masterKeys, workspaceId);
    return { secretNames, sealedSecrets: sealText(JSON.stringify(secrets), dataKey, `${workspaceId}/${id}`) };
  }

  /** @throws AppError `secret.unreadable` */
  open({ workspaceId, id, sealedSecrets }: Pick<ProviderRow, 'workspaceId' | 'id' | 'sealedSecrets'>): JsonObject {
    if (sealedSecrets === null) return {};
    // Its tag proves that seal wrote this, which writes objects only.
    return JSON.parse(openText(sealedSecrets, this.config.masterKeys, `${workspaceId}/${id}`)) as JsonObject;
  }
}

import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { openText, sealText } from '#libs/encryption';
import type { JsonObject } from '#libs/kernel';
import type { AuthConfig } from '../auth.config.js';
import { WorkspaceService } from '../workspace/workspace.service.js';
import type { ProviderRow } from './identity-provider.types.js';

/** What is to be kept of the secrets of the provider `id`; of none, nothing. */
export type SealSecrets = (id: string, secrets: JsonObject) => Pick<ProviderRow, 'secretNames' | 'sealedSecrets'>;

/** Secrets of providers, sealed by the data key of their workspace and bound to their row. */
@Injectable()
export class ProviderSecrets {
  constructor(
    private readonly workspaces: WorkspaceService,
    @InjectConfig() private readonly config: Pick<AuthConfig, 'masterKeys'>,
  ) {}

  /** By the data key of a workspace, which is asked for here, so that a transaction needs no second connection for it. */
  async sealerOf(workspaceId: string): Promise<SealSecrets> {
    const dataKey = await this.workspaces.openDataKey(workspaceId);
    return (id, secrets) => {
      const secretNames = Object.keys(secrets).sort();
      if (secretNames.length === 0) return { secretNames, sealedSecrets: null };
      return { secretNames, sealedSecrets: sealText(JSON.stringify(secrets), dataKey, `${workspaceId}/${id}`) };
    };
  }

  /** @throws AppError `secret.unreadable` */
  open({ workspaceId, id, sealedSecrets }: Pick<ProviderRow, 'workspaceId' | 'id' | 'sealedSecrets'>): JsonObject {
    if (sealedSecrets === null) return {};
    // Its tag proves that seal wrote this, which writes objects only.
    return JSON.parse(openText(sealedSecrets, this.config.masterKeys, `${workspaceId}/${id}`)) as JsonObject;
  }
}

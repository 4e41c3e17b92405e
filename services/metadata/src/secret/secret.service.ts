import { Inject, Injectable } from '@nestjs/common';
import { openSecrets, sealSecrets, type DataKey, type MasterKeys } from '#libs/encryption';
import { AppError, type JsonObject } from '#libs/kernel';
import { DataKeyClient } from './data-key.client.js';
import { MASTER_KEYS } from './master-keys.js';

/** Secrets as a row keeps them. */
export interface SecretColumns {
  readonly secretNames: string[];
  readonly masterKeyId: string | null;
  readonly wrappedKey: Uint8Array | null;
  readonly ciphertext: Uint8Array | null;
}

export const noSecrets: SecretColumns = { secretNames: [], masterKeyId: null, wrappedKey: null, ciphertext: null };

/** The secrets of data sources, under the data key of their workspace and bound to their source. */
@Injectable()
export class SecretService {
  constructor(
    private readonly dataKeys: DataKeyClient,
    @Inject(MASTER_KEYS) private readonly masterKeys: MasterKeys,
  ) {}

  /** Asks auth where the workspace's key is not known yet; what comes back needs nobody any more. */
  async sealer(workspaceId: string): Promise<SecretSealer> {
    return new SecretSealer(workspaceId, await this.dataKeys.get(workspaceId), this.masterKeys);
  }
}

/** Seals and opens the secrets of one workspace's sources. */
export class SecretSealer {
  constructor(
    private readonly workspaceId: string,
    private readonly dataKey: DataKey,
    private readonly masterKeys: MasterKeys,
  ) {}

  seal(sourceId: string, secrets: JsonObject): SecretColumns {
    const secretNames = Object.keys(secrets);
    if (secretNames.length === 0) return noSecrets;
    return { secretNames, ...sealSecrets(secrets, this.dataKey, this.aadOf(sourceId)) };
  }

  /**
   * Some of a source's secrets, to seal them again beside new ones.
   * @throws AppError `secret.unreadable` where the ciphertext was changed or is another source's
   */
  open(source: SecretColumns & { readonly id: string }, names: readonly string[]): JsonObject {
    const { masterKeyId, wrappedKey, ciphertext } = source;
    if (masterKeyId === null || !wrappedKey || !ciphertext) {
      throw new AppError('secret.unreadable', 'The secrets of this data source cannot be read. Set them again.');
    }
    const all = openSecrets({ masterKeyId, wrappedKey, ciphertext }, this.masterKeys, this.aadOf(source.id));
    return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  }

  private aadOf(sourceId: string): string {
    return `${this.workspaceId}/${sourceId}`;
  }
}

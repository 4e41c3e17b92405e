import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';

export interface SealedSamlKey {
  readonly certificate: string;
  readonly sealedKey: string;
}

@Injectable()
export class SamlKeyRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async find(providerId: string): Promise<SealedSamlKey | undefined> {
    const [row] = await this.database.query<SealedSamlKey[]>(
      `select certificate, sealed_key as "sealedKey" from auth.saml_key where provider_id = $1`,
      [providerId],
    );
    return row;
  }

  /** Does nothing where another process was first. */
  async insert(
    { workspaceId, id }: Pick<OpenProvider, 'workspaceId' | 'id'>,
    { certificate, sealedKey }: SealedSamlKey,
  ): Promise<void> {
    await this.database.query(
      `insert into auth.saml_key (provider_id, workspace_id, certificate, sealed_key) values ($1, $2, $3, $4)
       on conflict do nothing`,
      [id, workspaceId, certificate, sealedKey],
    );
  }
}

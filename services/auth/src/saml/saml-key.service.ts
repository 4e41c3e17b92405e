import { Injectable } from '@nestjs/common';
import type { OpenProvider } from '../identity-provider/identity-provider.types.js';
import { ProviderSecrets } from '../identity-provider/provider-secrets.service.js';
import { newSamlKey } from './new-saml-key.js';
import { SamlKeyRepository, type SealedSamlKey } from './saml-key.repository.js';
import type { SamlKey } from './saml.types.js';

/** The key that signs our requests to a provider: made when it is first needed, then always the same one. */
@Injectable()
export class SamlKeyService {
  constructor(
    private readonly keys: SamlKeyRepository,
    private readonly secrets: ProviderSecrets,
  ) {}

  async get(provider: OpenProvider): Promise<SamlKey> {
    const known = (await this.keys.find(provider.id)) ?? (await this.make(provider));
    const { privateKey } = this.secrets.open({ ...rowOf(provider), sealedSecrets: known.sealedKey });
    if (typeof privateKey !== 'string') throw new Error('a sealed SAML key is no text');
    return { certificate: known.certificate, privateKey };
  }

  private async make(provider: OpenProvider): Promise<SealedSamlKey> {
    const { certificate, privateKey } = await newSamlKey(`Sluice ${provider.id}`);
    const { workspaceId, id } = rowOf(provider);
    const { sealedSecrets } = (await this.secrets.sealerOf(workspaceId))(id, { privateKey });
    if (sealedSecrets === null) throw new Error('a SAML key was not sealed');
    await this.keys.insert(provider, { certificate, sealedKey: sealedSecrets });
    // Of two processes that make one at once, both use the one that is kept.
    const kept = await this.keys.find(provider.id);
    if (!kept) throw new Error('a SAML key is gone with its provider');
    return kept;
  }
}

/** What the key is sealed to: not the provider's own secrets, which could otherwise be put in its place. */
function rowOf({ workspaceId, id }: OpenProvider): { workspaceId: string; id: string } {
  return { workspaceId, id: `${id}/saml-key` };
}

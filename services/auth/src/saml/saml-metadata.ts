import { generateServiceProviderMetadata } from '@node-saml/node-saml';
import type { SamlKey, SamlServiceProvider } from './saml.types.js';

/** What an identity provider's administrator imports: who we are, where we take answers, and the key of our requests. */
export function metadataOf(self: SamlServiceProvider, key: SamlKey): string {
  return generateServiceProviderMetadata({
    issuer: self.entityId,
    callbackUrl: self.consumerUrl,
    privateKey: key.privateKey,
    publicCerts: key.certificate,
    identifierFormat: null,
    wantAssertionsSigned: true,
    generateUniqueId: () => '_metadata',
  });
}

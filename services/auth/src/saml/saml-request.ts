import { SAML } from '@node-saml/node-saml';
import type { SamlKey, SamlPeer, SamlServiceProvider } from './saml.types.js';

/** Where the browser is sent with our request, signed (HTTP-Redirect binding). No RelayState: what is pending is stored. */
export function requestUrl(id: string, peer: SamlPeer, self: SamlServiceProvider, key: SamlKey): Promise<string> {
  const sender = new SAML({
    issuer: self.entityId,
    callbackUrl: self.consumerUrl,
    entryPoint: peer.signInUrl,
    idpCert: [...peer.certificates],
    privateKey: key.privateKey,
    signatureAlgorithm: 'sha256',
    generateUniqueId: () => id,
    // The identity provider decides how it knows somebody, and by which name it calls them.
    disableRequestedAuthnContext: true,
    identifierFormat: null,
  });
  return sender.getAuthorizeUrlAsync('', undefined, {});
}

import 'reflect-metadata';
import type { SamlKey } from './saml.types.js';

const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const lifetimeYears = 20;

/** A key that signs requests, and a certificate by itself: identity providers take the key out of it and nothing else. */
export async function newSamlKey(name: string): Promise<SamlKey> {
  // Loaded when first needed, as hardly any process ever makes a key.
  const { PemConverter, X509CertificateGenerator } = await import('@peculiar/x509');
  const parameters = { ...algorithm, modulusLength: 2_048, publicExponent: new Uint8Array([1, 0, 1]) };
  const keys = await crypto.subtle.generateKey(parameters, true, ['sign', 'verify']);
  const notBefore = new Date();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    notBefore,
    notAfter: new Date(Date.UTC(notBefore.getUTCFullYear() + lifetimeYears, 0, 1)),
    signingAlgorithm: algorithm,
    keys,
  });
  const privateKey = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { privateKey: PemConverter.encode(privateKey, 'PRIVATE KEY'), certificate: certificate.toString('pem') };
}

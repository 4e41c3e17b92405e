import { X509Certificate } from 'node:crypto';
import { z } from 'zod';

const keyBitsMin = 2_048;
const certificateHint = `Give a certificate in PEM with an RSA key of at least ${keyBitsMin} bits.`;

const attributeName = z.string().min(1).max(500);
const address = z
  .url({ protocol: /^https?$/, error: 'Give an address such as https://login.example.com/saml.' })
  .max(2_000)
  .refine(isEncryptedOrLocal, 'Over a network it has to be https.');

export const samlOptions = z
  .strictObject({
    /** The provider's entity id, which is the Issuer of all that it says. */
    entityId: z.string().min(1).max(1_024),
    /** Where it takes requests by redirect (SingleSignOnService, HTTP-Redirect). */
    signInUrl: address,
    /** In PEM; several while the provider changes its key. Their dates do not count: an administrator takes them out. */
    certificates: z.array(z.string().max(20_000).refine(isGoodCertificate, certificateHint)).min(1).max(10),
    /**
     * How browsers reach Sluice, such as https://sluice.example.com. Not taken from requests: whoever could choose it could
     * have answers sent elsewhere.
     */
    origin: address.refine((text) => new URL(text).origin === text, 'Give the origin alone, without a path.'),
    /** The attribute that says who somebody is for ever; without it the NameID does. */
    subjectAttribute: attributeName.optional(),
    /** Without it, the usual names of attributes are tried, and then a NameID that is an address. */
    emailAttribute: attributeName.optional(),
    nameAttribute: attributeName.optional(),
    clockSkewSeconds: z.number().int().min(0).max(300).default(60),
  })
  .readonly();

export type SamlOptions = z.infer<typeof samlOptions>;

function isGoodCertificate(pem: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = new X509Certificate(pem).publicKey;
    return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= keyBitsMin;
  } catch {
    return false;
  }
}

function isEncryptedOrLocal(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

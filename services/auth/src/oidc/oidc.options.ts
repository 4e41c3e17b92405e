import { z } from 'zod';

/** Compared with what tokens say letter by letter. Where it may lie is decided when it is asked. */
const issuer = z
  .string()
  .refine((text) => isIssuer(text), 'The issuer is an address such as https://login.example.com.');

function isIssuer(text: string): boolean {
  if (!URL.canParse(text) || text.length > 500) return false;
  const { protocol, search, hash, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && `${search}${hash}${username}${password}` === '' && !/[?#]$/.test(text);
}

export const oidcOptions = z
  .strictObject({
    issuer,
    clientId: z.string().min(1).max(500),
    clientSecret: z.string().min(1).max(2_000).optional(),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,100}$/, 'A scope is a word of at most 100 characters.'))
      .max(50)
      .refine((scopes) => scopes.includes('openid'), 'Without the scope openid a provider does not say who signs in.')
      .default(['openid', 'email', 'profile']),
    /** Take every address of this provider for verified: for providers that have no `email_verified`. */
    trustEmail: z.boolean().default(false),
    /** Whether claims are asked for at the userinfo endpoint, too. */
    userinfo: z.boolean().default(true),
    /** How far the provider's clock may be from ours. */
    clockSkewSeconds: z.number().int().min(1).max(300).default(30),
  })
  .readonly();

export type OidcOptions = z.infer<typeof oidcOptions>;

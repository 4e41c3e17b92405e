// The OpenID Connect issuer of the bench of sign-ins, in a process of its own: as many people as its argument says, and one
// client that may send browsers to any path below /v1/sso of any origin of this machine. Writes {issuer, clientSecret}.
import { randomBytes } from 'node:crypto';
import { OidcIssuer } from '../../dist/libs/testing/src/index.js';

const clientSecret = randomBytes(32).toString('base64url');
const issuer = await OidcIssuer.start({
  accounts: Array.from({ length: Number(process.argv[2]) }, (_, n) => ({
    ...{ sub: `person-${n}`, name: `Person ${n}`, email: `person-${n}@bench.example`, email_verified: true },
    groups: ['pilots'],
  })),
  clients: [{ client_id: 'bench', client_secret: clientSecret, redirect_uris: ['http://127.0.0.1/'] }],
  redirectPath: /^\/v1\/sso\/[^/]+\/callback$/,
});
process.stdout.write(`${JSON.stringify({ issuer: issuer.issuer, clientSecret })}\n`);
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));

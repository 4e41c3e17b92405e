// An OpenID Connect issuer to try single sign-on with: a process of its own, with two people who sign in by one click.
import { OidcIssuer } from '#libs/testing';

/** What the launcher says in SLUICE_LOCAL_ISSUER, as arguments can be seen by every user of the machine. */
interface Settings {
  readonly port: number;
  readonly gatewayOrigin: string;
  readonly clientSecret: string;
}

// Given by mesh.ts alone.
const { port, gatewayOrigin, clientSecret } = JSON.parse(process.env['SLUICE_LOCAL_ISSUER'] ?? '{}') as Settings;

const person = (sub: string, name: string, groups: readonly string[]) => ({
  ...{ sub, name, email: `${sub}@local.example`, email_verified: true, groups, department: 'flights' },
});

const issuer = await OidcIssuer.start({
  port,
  accounts: [person('ada', 'Ada', ['analysts']), person('vera', 'Vera', [])],
  clients: [{ client_id: 'sluice', client_secret: clientSecret, redirect_uris: [`${gatewayOrigin}/`] }],
  // The provider's id, which is part of the address, is made by the installation.
  redirectPath: /^\/v1\/sso\/[^/]+\/(callback|signed-out)$/,
  redirectOrigin: gatewayOrigin,
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void issuer.stop().then(() => process.exit(0));
  });
}

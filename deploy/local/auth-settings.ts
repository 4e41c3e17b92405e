import { readFileSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

const loopback = '127.0.0.0/8';

/** What auth is told of this installation, which keeps what its user has set. */
export function authSettings(
  { gatewayPort, withIssuer }: { readonly gatewayPort: number; readonly withIssuer: boolean },
  environment: Environment,
): Record<string, string> {
  const networks = valueOf('SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS', environment);
  // A file of settings may name the page; one that we set would go before it.
  const hasPage = valueOf('SLUICE_AUTH_ACCOUNT_URL', environment) ?? environment['SLUICE_CONFIG_FILE'];
  return {
    ...(hasPage ? {} : { SLUICE_AUTH_ACCOUNT_URL: `http://localhost:${gatewayPort}/account` }),
    ...(withIssuer
      ? {
          SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: networks === undefined ? loopback : `${networks},${loopback}`,
          // It is in the list above; both at once are refused.
          SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS_FILE: '',
        }
      : {}),
  };
}

/** As services read it: from a file, where one is named. */
function valueOf(name: string, environment: Environment): string | undefined {
  const file = environment[`${name}_FILE`];
  const value = file ? readFileSync(file, 'utf8').trim() : environment[name];
  return value === '' ? undefined : value;
}

import { readFileSync } from 'node:fs';
import type { Environment } from './user-environment.ts';

const loopback = '127.0.0.0/8';

/** What auth is told of this installation, which keeps what its user has set: see `userEnvironment`. */
export function authSettings(
  { gatewayPort, withIssuer }: { readonly gatewayPort: number; readonly withIssuer: boolean },
  environment: Environment,
): Record<string, string> {
  const networks = valueOf('SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS', environment);
  const page = valueOf('SLUICE_AUTH_ACCOUNT_URL', environment);
  return {
    ...(page ? {} : { SLUICE_AUTH_ACCOUNT_URL: `http://localhost:${gatewayPort}/account` }),
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

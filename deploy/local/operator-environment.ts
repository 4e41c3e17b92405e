import { serviceDatabaseUrlByPort, servicesWithDatabase, superuserUrl } from './postgres-server.ts';
import type { LocalSecrets } from './state-directory.ts';

export interface OperatedInstallation {
  /** The settings that name each Redis, with users that may do everything. */
  redis: Readonly<Record<string, string>>;
  postgresPort: number;
  secrets: Pick<LocalSecrets, 'databasePassword' | 'masterKeys'>;
  /** Where each service has its metrics and its readiness. */
  operationsPorts: ReadonlyMap<string, number>;
}

/** What `. .sluice/operator.env` brings into a shell: what `sluice doctor`, other commands of operators and runbooks read. */
export function operatorEnvironment({ redis, postgresPort, secrets, operationsPorts }: OperatedInstallation): string {
  const databases = servicesWithDatabase.map((service): [string, string] => [
    `SLUICE_${service.toUpperCase()}_DATABASE_URL`,
    serviceDatabaseUrlByPort(postgresPort, service, secrets.databasePassword),
  ]);
  const ports = [...operationsPorts].map(([name, port]): [string, string] => [
    `SLUICE_${name.toUpperCase()}_METRICS_PORT`,
    String(port),
  ]);
  return exports({
    ...redis,
    SLUICE_DATABASE_URL: superuserUrl(postgresPort, secrets.databasePassword, 'sluice'),
    ...Object.fromEntries([...databases, ...ports]),
    SLUICE_MASTER_KEYS: secrets.masterKeys,
  });
}

/** Every value is between single quotes, in which a shell changes nothing. */
function exports(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('');
}

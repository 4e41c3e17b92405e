import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { settingsOf, type ConfigDefinition, type Setting } from '#libs/config';

export const serviceNames = ['gateway', 'auth', 'metadata', 'orchestrator', 'worker', 'results'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** A service's own schema of settings, from its build: nothing else of a service is looked at from outside. */
export async function definitionOf(service: ServiceName): Promise<ConfigDefinition> {
  const path = fileURLToPath(new URL(`../../dist/services/${service}/src/${service}.config.js`, import.meta.url));
  if (!existsSync(path)) throw new Error(`${service} is not built: npm run build`);
  // The file exports its definition under this name, as settings-table.mjs reads it too.
  const exported = (await import(pathToFileURL(path).href)) as Record<string, ConfigDefinition>;
  const definition = exported[`${service}Config`];
  if (!definition) throw new Error(`${path} exports no ${service}Config`);
  return definition;
}

export async function settingsOfService(service: ServiceName): Promise<Setting<unknown>[]> {
  return settingsOf(await definitionOf(service));
}

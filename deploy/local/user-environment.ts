export type Environment = Readonly<Record<string, string | undefined>>;

/** What the user of this installation has set, in the environment or in the file that SLUICE_CONFIG_FILE names: as services read it. */
export async function userEnvironment(environment: Environment): Promise<Environment> {
  if (!environment['SLUICE_CONFIG_FILE']) return environment;
  // The launcher runs for as long as the installation: what it seldom needs is loaded only then.
  const { configuredEnvironment } = await import('#libs/config');
  return configuredEnvironment(environment);
}

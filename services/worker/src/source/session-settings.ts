import type { SourceConnection } from '#libs/contracts';

type Settings = Readonly<Record<string, string>>;

/**
 * What a session of the source says of who asks; undefined where the source does not go by it.
 * @throws Error for a run of a source that goes by it which nobody has resolved: it would be answered as if by nobody
 */
export function sessionSettings({ options, sessionSettings: settings }: SourceConnection): Settings | undefined {
  if (options?.['sessionSettings'] === undefined) return undefined;
  if (!isSettings(settings)) throw new Error('the run does not say who asks, and its source goes by it');
  return settings;
}

function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}

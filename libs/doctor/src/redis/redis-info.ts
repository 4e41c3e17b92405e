/** The fields of INFO, by name. */
export type RedisInfo = ReadonlyMap<string, string>;

export function parseInfo(text: string): RedisInfo {
  const fields = text
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    });
  return new Map(fields);
}

/** @returns 0 where the server does not tell it */
export function numberOf(info: RedisInfo, name: string): number {
  const value = Number(info.get(name) ?? 0);
  return Number.isFinite(value) ? value : 0;
}

/** Such as `ip=127.0.0.1,port=6379,state=online`. */
export function partsOf(value: string): ReadonlyMap<string, string> {
  return new Map(
    value.split(',').map((part): [string, string] => {
      const equals = part.indexOf('=');
      return [part.slice(0, equals), part.slice(equals + 1)];
    }),
  );
}

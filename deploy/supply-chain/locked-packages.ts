import { readFileSync } from 'node:fs';
import { z } from 'zod';

const entry = z.object({
  version: z.string().optional(),
  license: z.string().optional(),
  dev: z.boolean().optional(),
  optional: z.boolean().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
});
const lockFile = z.object({ packages: z.record(z.string(), entry) });

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression; undefined for the stubs of other platforms' packages, which are theirs of the same name. */
  readonly license: string | undefined;
  readonly isDev: boolean;
  readonly isFetched: boolean;
  readonly hasIntegrity: boolean;
}

/** All packages of package-lock.json. */
export function lockedPackages(
  path: string | URL = new URL('../../package-lock.json', import.meta.url),
): LockedPackage[] {
  const { packages } = lockFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  return Object.entries(packages)
    .filter(([place]) => place !== '')
    .map(([place, { version = '', license, dev = false, resolved, integrity }]) => ({
      name: place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
      ...{ version, license, isDev: dev, isFetched: resolved !== undefined, hasIntegrity: integrity !== undefined },
    }));
}

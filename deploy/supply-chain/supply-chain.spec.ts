import { readFileSync } from 'node:fs';
import semver from 'semver';
import satisfies from 'spdx-satisfies';
import { describe, expect, it } from 'vitest';
import { lockedPackages } from './locked-packages.ts';
import { minimumVersions } from './minimum-versions.ts';

/** Licences that ask for no more than to be named. */
const allowed = [
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'Unlicense',
];

const packages = lockedPackages();
const shipped = packages.filter(({ isDev }) => !isDev);

describe('What is shipped', () => {
  it('is under licences of the allow-list alone', () => {
    const others = shipped.filter(({ license }) => license !== undefined && !satisfies(license, allowed));
    expect(others.map(({ name, license }) => `${name} ${license}`)).toEqual([]);
    expect(shipped.length).toBeGreaterThan(300);
  });

  it.each(minimumVersions)('has no $name with $because', ({ name, atLeast }) => {
    const versions = shipped.filter((each) => each.name === name).map(({ version }) => version);
    const old = versions.filter((version) => atLeast === undefined || semver.lt(version, atLeast));
    expect(old).toEqual([]);
  });

  it('is locked by its content: each fetched package has its hash', () => {
    expect(packages.filter(({ isFetched, hasIntegrity }) => isFetched && !hasIntegrity)).toEqual([]);
  });

  it('is named by exact versions', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>;
    const ranges = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}).filter(([, version]) => semver.valid(version) === null),
    );
    expect(ranges).toEqual([]);
  });

  it('runs on a Node that is still maintained', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
    expect(semver.minVersion(engines.node)?.major).toBeGreaterThanOrEqual(22);
    expect(
      shipped
        .filter(({ name }) => name.startsWith('node-linux-'))
        .every(({ version }) => semver.gte(version, '24.0.0')),
    ).toBe(true);
  });
});

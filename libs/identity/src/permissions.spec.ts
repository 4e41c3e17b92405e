import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isPermission, isRoleName, permissionNames, permissions, permissionsOfRoles, roles } from './index.js';

const roleNames = Object.keys(roles) as (keyof typeof roles)[];

describe('permissions', () => {
  it('are named <area>.<verb>', () => {
    for (const name of permissionNames) expect(name).toMatch(/^[a-z]+(_[a-z]+)*\.[a-z]+$/);
  });

  it('and roles of these names only are known: nothing that every object has', () => {
    for (const name of ['toString', 'constructor', '__proto__', 'QUERY.RUN', '', 'query']) {
      expect([name, isPermission(name), isRoleName(name)]).toEqual([name, false, false]);
    }
  });
});

describe('roles', () => {
  it('each hold all of the one before, and admin holds everything', () => {
    const sets = roleNames.map((name) => new Set<string>(roles[name]));
    for (const [index, set] of sets.entries()) {
      expect([...(sets[index - 1] ?? [])].filter((permission) => !set.has(permission))).toEqual([]);
    }
    expect([...roles.admin].sort()).toEqual([...permissionNames].sort());
  });

  it('together allow what any of them allows, and an unknown one allows nothing', () => {
    expect([...permissionsOfRoles(['viewer', 'analyst'])].sort()).toEqual([...roles.analyst].sort());
    expect(permissionsOfRoles(['emperor', 'constructor']).size).toBe(0);
  });
});

describe('docs/permissions.md', () => {
  it('lists the permissions and roles as they are in the code', () => {
    const page = readFileSync(new URL('../../../docs/permissions.md', import.meta.url), 'utf8');
    const rows = page
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      );
    const expected = permissionNames.map((name) => [
      `\`${name}\``,
      permissions[name],
      ...roleNames.map((role) => ((roles[role] as readonly string[]).includes(name) ? 'yes' : '')),
    ]);
    expect(rows[0]).toEqual(['permission', 'allows to', ...roleNames]);
    expect(rows.slice(2)).toEqual(expected);
  });
});

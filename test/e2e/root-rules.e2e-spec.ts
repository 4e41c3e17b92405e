import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { permissionsOfRoles, type Permission } from '#libs/identity';
import { newId } from '#libs/kernel';
import type { ApiClient } from '../support/api-client.js';
import { outcomeOf } from '../support/outcomes.js';
import { newPerson } from '../support/people.js';
import { rootRules, type RootRule } from '../support/root-rules.js';
import { sharedMesh } from '../support/running-mesh.js';
import { rootFields } from '../support/served-schema.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

const roles = ['viewer', 'analyst', 'editor', 'admin'] as const;
const callers = new Map<string, { client: ApiClient; permissions: ReadonlySet<Permission> }>();

beforeAll(async () => {
  for (const role of roles) {
    const { client } = await newPerson(mesh.admin, role);
    callers.set(role, { client, permissions: permissionsOfRoles([role]) });
  }
});

// Whoever has signed out can try nothing more.
const fields = rootFields().toSorted(
  (one, other) => Number(one.field === 'signOut') - Number(other.field === 'signOut'),
);

function isAllowed({ needs }: RootRule, permissions: ReadonlySet<Permission>): boolean {
  if (needs === 'a service account') return false;
  return typeof needs === 'string' || needs.some((permission) => permissions.has(permission));
}

describe('Every query, mutation and subscription of the served schema', () => {
  test.each(roles)('is used by a %s exactly where the table of rules says so', async (role) => {
    const caller = callers.get(role);
    if (!caller) throw new Error(`nobody is a ${role}`);
    const wrong: string[] = [];
    for (const field of fields) {
      const rule = rootRules[field.name];
      if (!rule) throw new Error(`${field.name} has no rule`);
      const { code } = await outcomeOf(caller.client, field, rule.args?.((kind) => newId(kind)) ?? {});
      const isRefused = code === 'FORBIDDEN';
      const isOdd = code === 'INTERNAL' || (code === 'UNAUTHENTICATED' && rule.needs !== 'nothing');
      if (isOdd || isRefused === isAllowed(rule, caller.permissions)) wrong.push(`${field.name}: ${code}`);
    }
    expect(wrong).toEqual([]);
  });

  test('is refused to nobody in particular where it needs somebody who is signed in', async () => {
    const wrong: string[] = [];
    for (const field of fields) {
      const rule = rootRules[field.name];
      const { code } = await outcomeOf(mesh.anonymous, field, rule?.args?.((kind) => newId(kind)) ?? {});
      const isWrong = rule?.needs === 'nothing' ? code === 'FORBIDDEN' : code !== 'UNAUTHENTICATED';
      if (isWrong) wrong.push(`${field.name}: ${code}`);
    }
    expect(wrong).toEqual([]);
  });
});

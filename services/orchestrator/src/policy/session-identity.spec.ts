import { describe, expect, it } from 'vitest';
import type { PolicyCaller } from '#libs/sql';
import { sessionIdentity } from './session-identity.js';

const caller: PolicyCaller = {
  id: 'usr_1',
  email: 'ann@example.org',
  groupNames: ['b', 'a'],
  attributes: {
    region: { type: 'text', value: 'EU' },
    none: { type: 'text', value: null },
    regions: ['a"b', 'c\\d', 'e,f', '{}'].map((value) => ({ type: 'text', value })),
    age: { type: 'integer', value: '41' },
  },
};
const of = (name: string, who: PolicyCaller | undefined = caller) => sessionIdentity({ 'app.x': name }, who);

describe("what a source's session says of the caller", () => {
  it.each([
    ['user.id', 'usr_1'],
    ['user.email', 'ann@example.org'],
    ['user.region', 'EU'],
    ['user.age', '41'],
    ['user.groups', '{"a","b"}'],
  ])('%s is told as text', (name, text) => {
    expect(of(name)).toEqual({ settings: { 'app.x': text }, isClosed: false });
  });

  it('is a list as an array in which no value can be taken for two', () => {
    expect(of('user.regions').settings).toEqual({ 'app.x': String.raw`{"a\"b","c\\d","e,f","{}"}` });
  });

  it.each(['user.unknown', 'user.none', 'user.constructor'])('closes the session where %s has no value', (name) => {
    expect(of(name)).toEqual({ settings: {}, isClosed: true });
  });

  it('closes the session where nobody is known to ask', () => {
    expect(sessionIdentity({ 'app.x': 'user.id' }, undefined)).toEqual({ settings: {}, isClosed: true });
  });
});

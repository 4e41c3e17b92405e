import { afterEach, describe, expect, it } from 'vitest';
import { patchedUser } from './scim-patches.js';
import { parseUser } from './scim-resource.js';

const before = new Map(Reflect.ownKeys(Object.prototype).map((key) => [key, descriptorOf(key)]));

function descriptorOf(key: PropertyKey): PropertyDescriptor | undefined {
  return Object.getOwnPropertyDescriptor(Object.prototype, key);
}

afterEach(() => {
  for (const key of Reflect.ownKeys(Object.prototype)) {
    if (!before.has(key)) Reflect.deleteProperty(Object.prototype, key);
  }
  // oxlint-disable-next-line no-extend-native -- takes back what an attack has done
  for (const [key, descriptor] of before) Object.defineProperty(Object.prototype, key, descriptor ?? {});
});

const user = () => ({
  id: 'usr_1',
  userName: 'ada@example.com',
  name: { formatted: 'Ada', givenName: 'Ada', familyName: 'Byron' },
  displayName: 'Ada',
  emails: [{ value: 'ada@example.com', type: 'work', primary: true }],
  active: true,
});

/** From the text, as a body comes. */
const patched = (...operations: string[]) =>
  parseUser(patchedUser(user(), JSON.parse(`{ "Operations": [${operations.join(',')}] }`)));

const urn = 'urn:ietf:params:scim:schemas:core:2.0:User';

describe('a PATCH of a user', () => {
  it.each([
    '{"op":"add","path":"__proto__.polluted","value":"x"}',
    '{"op":"replace","path":"__proto__.polluted","value":"x"}',
    '{"op":"add","path":"__proto__","value":{"polluted":"x"}}',
    '{"op":"remove","path":"__proto__.hasOwnProperty"}',
    '{"op":"remove","path":"__proto__.toString"}',
    '{"op":"add","path":"constructor.prototype.polluted","value":"x"}',
    '{"op":"remove","path":"constructor.prototype.hasOwnProperty"}',
    '{"op":"add","path":"name.__proto__.polluted","value":"x"}',
    '{"op":"add","path":"name.constructor.prototype.polluted","value":"x"}',
    '{"op":"add","path":"displayName.constructor.prototype.polluted","value":"x"}',
    '{"op":"add","path":"urn:x:__proto__.polluted","value":"x"}',
    `{"op":"add","path":"${urn}:__proto__.polluted","value":"x"}`,
    '{"op":"add","path":"__proto__:polluted","value":"x"}',
    '{"op":"add","path":"emails[type eq \\"work\\"].__proto__.polluted","value":"x"}',
    '{"op":"add","path":"emails[value eq \\"x:__proto__.polluted\\"].value","value":"x"}',
    '{"op":"add","path":"emails[value eq \\"x].__proto__.polluted","value":"x"}',
    '{"op":"add","path":"emails[__proto__ eq \\"x\\"].polluted","value":"x"}',
    '{"op":"add","path":"__proto__[type eq \\"x\\"].polluted","value":"x"}',
    '{"op":"add","value":{"__proto__.polluted":"x"}}',
    '{"op":"add","value":{"__proto__":{"polluted":"x"}}}',
    '{"op":"replace","value":{"constructor.prototype.polluted":"x"}}',
    '{"op":"replace","value":{"urn:x:__proto__.polluted":"x"}}',
    '{"op":"replace","value":{"name.__proto__.polluted":"x"}}',
    '{"op":"replace","value":{"name":{"__proto__":{"polluted":"x"}}}}',
    '{"op":"replace","path":"name","value":{"__proto__.polluted":"x"}}',
    '{"op":"add","path":"name","value":{"constructor.prototype.polluted":"x"}}',
    '{"op":"replace","path":"emails","value":{"__proto__.polluted":"x"}}',
    '{"op":"add","path":"emails[type eq \\"work\\"]","value":{"__proto__.polluted":"x"}}',
    '{"op":"add","path":"emails","value":[{"value":"x","__proto__":{"polluted":"x"}}]}',
  ])('never reaches what all objects share, and is refused: %s', (operation) => {
    let outcome: unknown;
    try {
      outcome = patched(operation);
    } catch (error) {
      outcome = error;
    }
    const after = new Map(Reflect.ownKeys(Object.prototype).map((key) => [key, descriptorOf(key)]));
    expect(after).toEqual(before);
    expect('polluted' in {}).toBe(false);
    expect(outcome).toMatchObject({ code: 'input.invalid' });
  });

  it('passes over what is not kept, whatever it holds', () => {
    const odd = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const extension = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
    const kept = patched(
      `{"op":"add","path":"title","value":${odd}}`,
      `{"op":"add","path":"${extension}:department","value":"Engines"}`,
      `{"op":"add","value":{"${extension}":{"department":"Engines"},"nickName":"A"}}`,
      '{"op":"replace","path":"name.middleName","value":"A."}',
    );
    expect(kept).toEqual(parseUser(user()));
  });

  it('changes what is kept, by paths, by the keys of a value, with the schema’s name and in any case', () => {
    expect(patched('{"op":"Replace","path":"Active","value":"False"}').active).toBe(false);
    expect(patched(`{"op":"replace","path":"${urn}:name.familyName","value":"King"}`).familyName).toBe('King');
    expect(patched('{"op":"replace","value":{"name.givenName":"Augusta"}}')).toMatchObject({
      givenName: 'Augusta',
      familyName: 'Byron',
    });
    expect(patched('{"op":"replace","value":{"name":{"givenName":"Augusta"}}}').givenName).toBe('Augusta');
    expect(patched('{"op":"replace","path":"emails[type eq \\"work\\"].value","value":"a@b.c"}').email).toBe('a@b.c');
    expect(patched('{"op":"replace","value":{"emails[primary eq true].value":"a@b.c"}}').email).toBe('a@b.c');
    expect(patched('{"op":"remove","path":"name.givenName"}').givenName).toBeUndefined();
    expect(patched('{"op":"replace","value":{"name":null}}').familyName).toBeUndefined();
  });
});

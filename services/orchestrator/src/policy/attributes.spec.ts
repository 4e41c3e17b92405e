import { describe, expect, it } from 'vitest';
import { toAttributes } from './attributes.js';

describe('a user’s attributes as values to bind', () => {
  it('have the type that JSON gives them, and lists of scalars stay lists', () => {
    expect(toAttributes({ region: 'north', level: 3, share: 0.5, lead: true, teams: ['a', 2] })).toEqual({
      region: { type: 'text', value: 'north' },
      level: { type: 'integer', value: '3' },
      share: { type: 'number', value: '0.5' },
      lead: { type: 'boolean', value: 'true' },
      teams: [
        { type: 'text', value: 'a' },
        { type: 'integer', value: '2' },
      ],
    });
  });

  it('are absent where they are null, an object, or a list that holds one: then nothing is seen by them', () => {
    expect(toAttributes({ a: null, b: { c: 1 }, d: ['x', null], e: [['x']] })).toEqual({});
  });

  it('keep an empty list, in which nothing is', () => {
    expect(toAttributes({ regions: [] })).toEqual({ regions: [] });
  });
});

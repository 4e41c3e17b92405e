import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { asDatabaseFault } from './database-fault.js';

const withCode = (code: string): Error => Object.assign(new Error('it failed'), { code });

describe('A fault of the database', () => {
  it.each([
    ['a refused connection', withCode('ECONNREFUSED')],
    ['a reset connection', new QueryFailedError('select 1', [], withCode('ECONNRESET'))],
    ['a server that stops', new QueryFailedError('select 1', [], withCode('57P01'))],
    ['a full disk', new QueryFailedError('insert', [], withCode('53100'))],
    ['a server that has become a replica', new QueryFailedError('insert', [], withCode('25006'))],
    ['a pool that gets no connection', new Error('timeout exceeded when trying to connect')],
    [
      'a connection that is lost',
      new QueryFailedError('select 1', [], new Error('Connection terminated unexpectedly')),
    ],
  ])('leaves the outcome open: %s', (_, error) => {
    expect(asDatabaseFault(error)).toMatchObject({ code: 'bus.unknown_outcome', cause: error });
  });

  it.each([
    ['a constraint', new QueryFailedError('select 1', [], withCode('23505'))],
    ['a fault of ours', new Error('cannot read properties of undefined')],
    ['what is no error', 'text'],
  ])('is not made of %s', (_, error) => {
    expect(asDatabaseFault(error)).toBe(error);
  });
});

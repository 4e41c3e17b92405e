import { QueryFailedError, QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { asDatabaseFault } from './database-fault.js';

const withCode = (code: string, message = 'it failed'): Error => Object.assign(new Error(message), { code });
const failed = (error: Error): QueryFailedError => new QueryFailedError('select 1', [], error);

describe('A fault of the database', () => {
  it.each([
    ['a reset connection', failed(withCode('ECONNRESET'))],
    ['a connection that was closed a moment before', failed(withCode('EPIPE'))],
    ['a server that stops', failed(withCode('57P01'))],
    ['a server whose socket in the file system is gone', failed(withCode('ENOENT'))],
    ['a connection that was lost between two statements of a transaction', new QueryRunnerAlreadyReleasedError()],
    ['the same, of a transaction that others were given', new QueryRunnerProviderAlreadyReleasedError()],
    ['a full disk', failed(withCode('53100'))],
    ['a server that has become a replica', failed(withCode('25006'))],
    ['a connection that is lost', failed(new Error('Connection terminated unexpectedly'))],
    ['a connection that was lost before', failed(new Error('Client was closed and is not queryable'))],
    [
      'a connection that has failed before',
      failed(new Error('Client has encountered a connection error and is not queryable')),
    ],
  ])('leaves the outcome open: %s', (_, error) => {
    expect(asDatabaseFault(error)).toMatchObject({ code: 'bus.unknown_outcome', cause: error });
  });

  it.each([
    ['for a lock', failed(withCode('55P03'))],
    ['for its end', failed(withCode('57014'))],
    ['for a connection of the pooler to it', failed(withCode('08P01', 'query_wait_timeout'))],
  ])('may be asked again where the server has waited too long %s', (_, error) => {
    expect(asDatabaseFault(error)).toMatchObject({ code: 'bus.unavailable', retryable: true, cause: error });
  });

  it.each([
    ['a constraint', failed(withCode('23505'))],
    ['a row that says so', failed(withCode('P0001', 'Connection terminated'))],
    ['a fault of ours', new Error('cannot read properties of undefined')],
    ['a refused connection to something else', withCode('ECONNREFUSED')],
    ['a file that is not there', withCode('ENOENT')],
    ['the words of something else', new Error('Connection terminated unexpectedly')],
    ['what else a pooler refuses', failed(withCode('08P01', 'unsupported startup parameter'))],
    ['what is no error', 'text'],
  ])('is not made of %s', (_, error) => {
    expect(asDatabaseFault(error)).toBe(error);
  });
});

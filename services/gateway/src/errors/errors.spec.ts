import { buildSchema, getVariableValues, GraphQLError, Kind, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { AppError, errorCodes } from '#libs/kernel';
import { readTypeDefs } from '../schema/type-defs.js';
import { formatError } from './format-error.js';
import { payloadOf } from './payload.js';

const wrapped = (originalError: Error) =>
  new GraphQLError(originalError.message, { originalError, path: ['execution'] });

describe('an error in an answer', () => {
  it('carries a code of the contract, the request and whether to try again', () => {
    const error = new AppError('source.unavailable', 'It does not answer.', {
      retryable: true,
      retryAfterSeconds: 1.2,
    });
    expect(formatError(wrapped(error), 'req_1')).toEqual({
      message: 'It does not answer.',
      path: ['execution'],
      extensions: { code: 'DATA_SOURCE_UNAVAILABLE', requestId: 'req_1', retryable: true, retryAfterSeconds: 2 },
    });
  });

  it('says nothing of what is unexpected but the id to find it by', () => {
    const text = JSON.stringify(formatError(wrapped(new Error('password=hunter2 at /srv/x.ts')), 'req_1'));
    expect(text).not.toMatch(/hunter2|srv/);
    expect(text).toContain('req_1');
    expect(text).toContain('INTERNAL');
  });

  it('about the document is the fault of who sent it, and suggests no names', () => {
    const { message, extensions } = formatError(
      new GraphQLError('Cannot query field "viewr" on type "Query". Did you mean "viewer", "users" or "node"?'),
      'req_1',
    );
    expect(message).toBe('Cannot query field "viewr" on type "Query".');
    expect(extensions).toMatchObject({ code: 'INVALID_INPUT', retryable: false });
  });

  it('about a variable names it and the place in it, and does not repeat its value', () => {
    const schema = buildSchema('input Login { email: String!, wait: Int } type Query { a(login: Login!): Int }');
    const definitions = parse('query ($login: Login!) { a(login: $login) }').definitions[0];
    if (definitions?.kind !== Kind.OPERATION_DEFINITION) throw new Error('no operation');
    const messageOf = (login: unknown): string => {
      const { errors: [error] = [] } = getVariableValues(schema, definitions.variableDefinitions ?? [], { login });
      return formatError(error, 'req_1').message;
    };
    expect(messageOf({ email: 'a', wait: '5' })).toBe(
      'Variable "$login.wait": Int cannot represent non-integer value: "5"',
    );
    expect(messageOf({ email: 'a', password: 'hunter2; at "x"' })).toBe(
      'Variable "$login": Field "password" is not defined by type "Login".',
    );
  });

  it('has only codes that the served schema has', () => {
    const served = buildSchema(readTypeDefs()).getType('ErrorCode');
    const names = served && 'getValues' in served ? served.getValues().map(({ name }) => name) : [];
    for (const code of Object.values(errorCodes)) expect(names).toContain(code);
  });
});

describe("a mutation's payload", () => {
  it('has no errors exactly when it was done', async () => {
    expect(await payloadOf(async () => ({ user: 1 }))).toEqual({ user: 1, errors: [] });
  });

  it('names every fault of the input with its path', async () => {
    const { errors } = await payloadOf<{ user: number }>(async () => {
      throw AppError.ofIssues([
        { code: 'input.invalid', message: 'a', path: ['options', 'host'] },
        { code: 'input.invalid', message: 'b', path: ['name'] },
      ]);
    });
    expect(errors.map(({ code, message, path }) => [code, message, path])).toEqual([
      ['INVALID_INPUT', 'a', ['options', 'host']],
      ['INVALID_INPUT', 'b', ['name']],
    ]);
  });

  it('carries the thing as it is now on a conflict, and only then', async () => {
    const current = async () => ({ user: 7 });
    const fail = (code: 'entity.conflict' | 'auth.forbidden') => async (): Promise<{ user: number }> => {
      throw new AppError(code, 'no');
    };
    expect(await payloadOf(fail('entity.conflict'), current)).toMatchObject({
      user: 7,
      errors: [{ code: 'CONFLICT' }],
    });
    expect(await payloadOf(fail('auth.forbidden'), current)).not.toHaveProperty('user');
  });

  it('is not made of faults: a refused token and our own failures are errors of the request', async () => {
    for (const code of ['auth.token_expired', 'internal', 'bus.unavailable'] as const) {
      const error = new AppError(code, 'no');
      await expect(payloadOf(() => Promise.reject(error))).rejects.toBe(error);
    }
  });

  it('never says that nothing was done where nobody knows', async () => {
    const silence = new AppError('bus.timeout', 'no answer', { retryable: true });
    await expect(payloadOf(() => Promise.reject(silence))).rejects.toMatchObject({ code: 'bus.unknown_outcome' });
  });
});

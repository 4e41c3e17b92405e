import { expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { governedError } from './governed-error.js';

const relation = { schema: 'public', name: 'people', policyIds: ['pol_1'] };
const governed = { reach: { relations: [relation], governed: [] } };
const failure = (message: string, sourceCode: string): AppError =>
  new AppError('run.query_failed', message, { details: { sourceCode } });
const messageOf = (error: unknown): string => (error instanceof AppError ? error.publicMessage : '');

it.each([
  ['22P02', 'invalid input syntax for type integer: "hidden"'],
  ['22012', 'division by zero (line 1, column 9)'],
  ['P0001', 'hidden'],
  ['Conversion', `Could not convert string 'hidden' to BOOL`],
  ['', 'hidden'],
])('an error of kind %s, which may be about a hidden row, is not told in its own words', (code, message) => {
  const told = governedError(failure(message, code), governed);
  expect(messageOf(told)).toMatch(/^The data source could not compute a value\./);
  expect(told).toMatchObject({ code: 'run.query_failed', details: { sourceCode: code } });
});

it.each([
  ['42703', 'column "nix" does not exist (line 2, column 34)', 'column "nix" does not exist'],
  ['Binder', 'Referenced column "nix" not found (line 1)', 'Referenced column "nix" not found'],
])(
  'an error of kind %s, about the statement, is told without the place in a text that is not the caller’s',
  (...row) => {
    const [code, message, told] = row;
    expect(messageOf(governedError(failure(message, code), governed))).toBe(told);
  },
);

it('without policies in the statement, and for what is no error of the source, nothing changes', () => {
  const error = failure('division by zero (line 1, column 9)', '22012');
  expect(governedError(error, { reach: undefined })).toBe(error);
  expect(governedError(error, { reach: { relations: [{ ...relation, policyIds: [] }], governed: [relation] } })).toBe(
    error,
  );
  const timedOut = new AppError('run.timed_out', 'The statement was stopped.');
  expect(governedError(timedOut, governed)).toBe(timedOut);
});

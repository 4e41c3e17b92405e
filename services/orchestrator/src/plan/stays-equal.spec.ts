import { expect, it } from 'vitest';
import { staysEqual } from './stays-equal.js';

const plan = { sql: 'select $1', values: [], parameters: { day: '2026-11-21' } };
const at = (time: string): number => Date.parse(`2026-11-21T${time}Z`);

it('an answer is not repeated past a minute in which relative dates may change', () => {
  expect(staysEqual([], plan, at('23:59:30'))).toBe(true);
  expect(staysEqual([], plan, at('23:59:55'))).toBe(false);
  expect(staysEqual([], { ...plan, parameters: {} }, at('23:59:55'))).toBe(true);
});

it('an answer whose parameters have an options query is planned each time', () => {
  const definition = { name: 'x', type: 'TEXT', multiple: false, required: true, optionsQueryId: 'qry_1' } as const;
  expect(staysEqual([definition], plan, at('12:00:00'))).toBe(false);
});

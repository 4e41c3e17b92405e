import { expect, it } from 'vitest';
import { AppError } from '#libs/kernel';
import { refusalWithoutText } from './hidden-text.js';

it('Who may not read a statement is not told what it reads, where no sample can be taken of that', () => {
  const path = ['limits', 'sampleRows'];
  const refusal = new AppError('run.sample_unsound', 'The source takes no sample of "salaries".', { path });
  const told = refusalWithoutText(refusal);
  expect(told).toMatchObject({ code: 'run.sample_unsound', path });
  expect((told as AppError).publicMessage).not.toContain('salaries');
});

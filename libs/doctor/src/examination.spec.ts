import { describe, expect, it } from 'vitest';
import { Examination, joinReports } from './examination.js';

const fault = { severity: 'WARNING', what: 'It is full.', why: 'Because.', mend: 'make room' } as const;

describe('an examination', () => {
  it('goes on where a check fails, and keeps of its reason the first line alone', async () => {
    const examination = new Examination('It');
    await examination.check('a', () => {
      throw new Error("NOPERM this user has no permissions to run the 'config|get' command\nand more");
    });
    await examination.check('b', () => [fault]);
    expect(examination.report).toMatchObject({
      findings: [{ check: 'b', subject: 'It' }],
      notChecked: [{ check: 'a', reason: "NOPERM this user has no permissions to run the 'config|get' command" }],
    });
  });

  it('is joined with others: what two find of one thing is told once, and the worst first', () => {
    const [one, other] = [new Examination('It'), new Examination('It')];
    one.found('room', fault);
    other.found('room', { ...fault, what: 'It is fuller.' });
    other.found('fire', { ...fault, severity: 'CRITICAL', mend: 'run' });
    other.found('dust', { ...fault, severity: 'NOTICE', mend: 'sweep' });
    const { findings } = joinReports([one.report, other.report]);
    expect(findings.map(({ what, check }) => [check, what])).toEqual([
      ['fire', 'It is full.'],
      ['room', 'It is full.'],
      ['dust', 'It is full.'],
    ]);
  });
});

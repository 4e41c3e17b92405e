import { describe, expect, it } from 'vitest';
import { withSection, type BenchResult, type Machine } from './report.ts';

const machine: Machine = { node: 'v24', cpu: 'cpu', cores: 2, memoryGib: 24 };
const resultOf = (name: string): BenchResult => ({
  name,
  method: `How ${name} is measured.`,
  measures: [{ name: 'speed', unit: 'ms', control: 'bare', rounds: [{ ours: 2, control: 1 }] }],
});
const names = ['bus', 'start', 'rows'];
const put = (table: string, name: string, title: string, day: string): string =>
  withSection(table, names, { name, result: resultOf(title) }, { machine, date: new Date(day) });

describe('the table of benchmarks', () => {
  it('keeps what was measured of others, in their order, and replaces what is measured anew', () => {
    const first = put(put('', 'rows', 'Rows', '2026-01-01'), 'bus', 'Bus', '2026-01-02');
    const again = put(first, 'rows', 'Other rows', '2026-01-03');
    expect([...again.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(['Bus', 'Other rows']);
    expect(again).toContain('Measured on 2026-01-02');
    expect(again).toContain('Measured on 2026-01-03');
    expect(again).not.toContain('2026-01-01');
    expect(put(again, 'rows', 'Other rows', '2026-01-03')).toBe(again);
  });
});

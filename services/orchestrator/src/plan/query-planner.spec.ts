import { describe, expect, it } from 'vitest';
import type { SourceConnection } from '#libs/contracts';
import { AppLogger } from '#libs/telemetry';
import type { PlanInput, QueryPlan } from './query-plan.js';
import { QueryPlanner } from './query-planner.service.js';

const logger = AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' });
const source: SourceConnection = {
  ...{ id: 'src_1', workspaceId: 'wsp_1', name: 'flights', type: 'postgres', version: 1, options: {} },
  ...{ maxConcurrentExecutions: 1, paused: false },
};
const input: PlanInput = {
  source,
  text: "select {{ day }}, {{ n }}, {{ user.id }} where 'a' in ({{ user.groups | list }})",
  definitions: [{ name: 'day', type: 'DATE', multiple: false, required: true, default: 'today' }],
  given: { n: 1 },
  caller: { id: 'usr_1', email: null, groups: ['a'], attributes: new Map() },
  timeZone: 'UTC',
  nowMs: Date.parse('2026-11-21T23:59:30Z'),
  places: { text: ['query', 'sql', 'text'], parameters: ['query', 'sql', 'parameters'] },
  revision: 1,
  isSamplable: async () => true,
  limits: { rows: 1_000_000 },
};

describe('a plan', () => {
  const planner = new QueryPlanner(logger);
  const plan = (change: Partial<PlanInput> = {}): Promise<QueryPlan> => planner.plan({ ...input, ...change });
  const valuesOf = async (change: Partial<PlanInput>) => (await plan(change)).values.map(({ value }) => value);

  it('is the same for an equal question', async () => {
    expect(await valuesOf({})).toEqual(['2026-11-21', '1', 'usr_1', 'a']);
    expect(await plan()).toEqual(await new QueryPlanner(logger).plan(input));
  });

  it.each([
    ['another value', { given: { n: 2 } }, ['2026-11-21', '2', 'usr_1', 'a']],
    ['another caller', { caller: { ...input.caller, id: 'usr_2' } }, ['2026-11-21', '1', 'usr_2', 'a']],
    ['another group', { caller: { ...input.caller, groups: ['b'] } }, ['2026-11-21', '1', 'usr_1', 'b']],
    ['another zone', { timeZone: 'Asia/Tokyo' }, ['2026-11-22', '1', 'usr_1', 'a']],
    ['the next minute', { nowMs: input.nowMs + 30_000 }, ['2026-11-22', '1', 'usr_1', 'a']],
    [
      'another definition',
      { definitions: input.definitions.map((each) => ({ ...each, default: 'yesterday' })) },
      ['2026-11-20', '1', 'usr_1', 'a'],
    ],
  ])('has its own values for %s', async (_what, change, values) => {
    await plan();
    expect(await valuesOf(change)).toEqual(values);
  });

  it('goes over all rows where nobody asked for a sample and none can be taken', async () => {
    const limits = { rows: 1_000_000, sampleRows: 10 };
    const sqlOf = async (text: string, isSampleByDefault: boolean) =>
      (await plan({ text, given: {}, definitions: [], limits: { ...limits, isSampleByDefault } })).sql;
    expect(await sqlOf('select * from a', true)).toContain('tablesample');
    const joined = 'select * from a, b';
    expect(await sqlOf(joined, true)).toBe(joined);
    await expect(sqlOf(joined, false)).rejects.toMatchObject({ code: 'run.sample_unsound' });
  });

  it('samples what nobody knows where that is asked for, and never by default; with the next revision it is asked anew', async () => {
    const sqlOf = async (change: Partial<PlanInput>, isSampleByDefault: boolean): Promise<string> => {
      const limits = { rows: 1_000_000, sampleRows: 10, isSampleByDefault };
      return (await plan({ text: 'select * from a', given: {}, definitions: [], limits, ...change })).sql;
    };
    const isView = { isSamplable: async () => false, revision: 2 };
    const isUnknown = { isSamplable: async () => undefined, revision: 3 };
    expect(await sqlOf({}, true)).toContain('tablesample');
    expect(await sqlOf(isView, true)).toBe('select * from a');
    await expect(sqlOf(isView, false)).rejects.toMatchObject({
      ...{ code: 'run.sample_unsound', path: ['limits', 'sampleRows'] },
      publicMessage: expect.stringContaining('"a"'),
    });
    expect(await sqlOf(isUnknown, true)).toBe('select * from a');
    expect(await sqlOf(isUnknown, false)).toContain('tablesample');
  });

  it('reads an attribute by its own value, and none where there is none', async () => {
    const text = 'select {{ user.region }}';
    const withRegion = (value: string) =>
      plan({
        text,
        given: {},
        definitions: [],
        caller: { ...input.caller, attributes: new Map([['region', { type: 'text', value }]]) },
      });
    expect((await withRegion('EU')).values).toEqual([{ type: 'text', value: 'EU' }]);
    expect((await withRegion('US')).values).toEqual([{ type: 'text', value: 'US' }]);
    await expect(plan({ text, given: {}, definitions: [] })).rejects.toMatchObject({
      code: 'parameter.attribute_absent',
      path: ['query', 'sql', 'parameters', 'user', 'region'],
    });
  });

  it('tells every fault of the parameters, each at its place', async () => {
    await expect(plan({ given: { day: 'x', m: 1 } })).rejects.toMatchObject({
      issues: [
        { code: 'parameter.invalid', path: ['query', 'sql', 'parameters', 'day'] },
        { code: 'parameter.invalid', path: ['query', 'sql', 'parameters', 'm'] },
        { code: 'parameter.missing', path: ['query', 'sql', 'parameters', 'n'] },
      ],
    });
  });

  it.each([
    ['select {{ n', 'sql.rejected', ['query', 'sql', 'text']],
    ['delete from t where n = {{ n }}', 'sql.not_read_only', ['query', 'sql', 'text']],
    ['select $1, {{ n }}', 'sql.rejected', ['query', 'sql', 'text']],
  ])('is refused for %s, also the second time', async (text, code, path) => {
    for (let time = 0; time < 2; time += 1) {
      await expect(plan({ text, definitions: [] })).rejects.toMatchObject({ code, path });
    }
  });

  it('is refused for an unknown time zone, at its place', async () => {
    await expect(plan({ timeZone: 'Berlin' })).rejects.toMatchObject({ code: 'input.invalid', path: ['timeZone'] });
  });
});

import { describe, expect, it } from 'vitest';
import { flightKey, type FlightParts } from './flight-key.js';
import { resolveLimits } from './limits.js';

const settings = {
  rowsDefault: 1_000,
  rowsMax: 10_000,
  bytesDefault: 500,
  bytesMax: 5_000,
  timeoutDefaultSeconds: 300,
  timeoutScheduledSeconds: 1_800,
  timeoutMaxSeconds: 3_600,
  sqlBytesMax: 100,
};

describe('resolveLimits', () => {
  it('takes the service’s own limits where none are named, a longer time for SCHEDULED', () => {
    expect(resolveLimits(undefined, 'INTERACTIVE', settings)).toEqual({ rows: 1_000, bytes: 500, timeoutMs: 300_000 });
    expect(resolveLimits({}, 'SCHEDULED', settings).timeoutMs).toBe(1_800_000);
  });

  it('never gives a default above the maximum', () => {
    const tight = { ...settings, rowsMax: 10, bytesMax: 20, timeoutMaxSeconds: 30 };
    expect(resolveLimits(undefined, 'SCHEDULED', tight)).toEqual({ rows: 10, bytes: 20, timeoutMs: 30_000 });
  });

  it('lets a source shorten every time, and refuses a longer one that is asked for', () => {
    const source = { timeoutSeconds: 20 };
    expect(resolveLimits(undefined, 'SCHEDULED', settings, { source }).timeoutMs).toBe(20_000);
    expect(resolveLimits({ timeoutSeconds: 7 }, 'INTERACTIVE', settings, { source }).timeoutMs).toBe(7_000);
    expect(() => resolveLimits({ timeoutSeconds: 21 }, 'INTERACTIVE', settings, { source })).toThrow(
      expect.objectContaining({
        code: 'input.invalid',
        publicMessage: 'timeoutSeconds must be from 1 to 20.',
        path: ['limits', 'timeoutSeconds'],
      }),
    );
  });

  it('takes the workspace’s sample where the call says nothing of one, and none for 0', () => {
    const sampleOf = (sampleRows: number | undefined) => {
      const limits = resolveLimits({ sampleRows }, 'INTERACTIVE', settings, { sampleRowsDefault: 50 });
      return [limits.sampleRows, limits.isSampleByDefault];
    };
    expect(sampleOf(undefined)).toEqual([50, true]);
    expect(sampleOf(20)).toEqual([20, undefined]);
    expect(sampleOf(0)).toEqual([undefined, undefined]);
    expect(() => sampleOf(-1)).toThrow(expect.objectContaining({ path: ['limits', 'sampleRows'] }));
  });

  it('names every limit that is out of bounds by its place in the input', () => {
    const ask = (): unknown => resolveLimits({ rows: 0, bytes: 5_001, timeoutSeconds: -1 }, 'DASHBOARD', settings);
    expect(ask).toThrow(
      expect.objectContaining({
        code: 'input.invalid',
        issues: ['rows', 'bytes', 'timeoutSeconds'].map((name) =>
          expect.objectContaining({ code: 'input.invalid', path: ['limits', name] }),
        ),
      }),
    );
  });
});

describe('flightKey', () => {
  const parts: FlightParts = {
    workspaceId: 'wsp_1',
    sourceId: 'src_1',
    sourceVersion: 1,
    sql: 'select $1',
    values: [{ type: 'text', value: '1' }],
    policyFingerprint: '',
    subjects: [],
    limits: { rows: 1, bytes: 2, timeoutMs: 3 },
    ceiling: '',
    session: undefined,
  };

  it('is equal for equal questions', () => {
    expect(flightKey(parts)).toEqual(flightKey({ ...parts, limits: { ...parts.limits } }));
  });

  it('differs by whatever can change the answer', () => {
    const others: FlightParts[] = [
      { ...parts, workspaceId: 'wsp_2' },
      { ...parts, sourceId: 'src_2' },
      { ...parts, sourceVersion: 2 },
      { ...parts, sql: 'select 2' },
      { ...parts, values: [{ type: 'text', value: '2' }] },
      { ...parts, values: [{ type: 'integer', value: '1' }] },
      { ...parts, values: [{ type: 'text', value: null }] },
      { ...parts, policyFingerprint: 'x' },
      { ...parts, subjects: ['query:qry_1'] },
      { ...parts, limits: { ...parts.limits, rows: 9 } },
      { ...parts, limits: { ...parts.limits, bytes: 9 } },
      { ...parts, ceiling: 'maxEstimatedRows=1' },
      { ...parts, session: { settings: { 'app.region': 'EU' }, isClosed: false } },
      { ...parts, session: { settings: { 'app.region': 'US' }, isClosed: false } },
      { ...parts, limits: { ...parts.limits, timeoutMs: 9 } },
    ];
    const keys = new Set([parts, ...others].map((each) => flightKey(each).toString('hex')));
    expect(keys.size).toBe(others.length + 1);
  });
});

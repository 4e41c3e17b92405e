import { trace } from '@opentelemetry/api';
import { describe, expect, it, vi } from 'vitest';
import { AppLogger, MetricsRegistry, redact, redactText, startTracing, withLogFields } from './index.js';

function capture(): { logger: AppLogger; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const destination = { write: (line: string) => void written.push(line) };
  const logger = AppLogger.create({ service: 'auth', instance: 'auth-1', level: 'info', destination });
  return { logger, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('AppLogger', () => {
  it('writes JSON lines with service, time and the fields of the work at hand', async () => {
    const { logger, lines } = capture();
    await withLogFields({ requestId: 'req_1' }, async () => {
      await Promise.resolve();
      withLogFields({ workspaceId: 'wsp_1' }, () => logger.info({ rows: 3 }, 'done'));
    });
    expect(lines()[0]).toMatchObject({
      level: 'info',
      service: 'auth',
      requestId: 'req_1',
      workspaceId: 'wsp_1',
      rows: 3,
      msg: 'done',
    });
  });

  it('never writes a secret, however deep and in whatever form', () => {
    const { logger, lines } = capture();
    const error = new Error('connect postgres://bob:hunter2@db/x failed', {
      cause: new Error('Bearer abcdefghijklmnop'),
    });
    logger.child({ apiKey: 'slk_abc' }).error(
      {
        err: Object.assign(error, { options: { password: 'hunter2', nested: [{ accessToken: 'hunter2' }] } }),
        parameters: { ssn: 'hunter2' },
        url: 'https://sluice.example.com/v1/downloads/exe_1.csv?signature=hunter2-hunter2_hunter2',
        text: 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2 slk_hunter2',
      },
      'redis://:hunter2@localhost is down',
    );
    const text = JSON.stringify(lines());
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('abcdefghijklmnop');
    expect(text).toContain('postgres://[redacted]@db/x failed');
  });

  it('writes nothing below its level', () => {
    const { logger, lines } = capture();
    logger.debug({}, 'quiet');
    expect(lines()).toEqual([]);
  });
});

describe('redact', () => {
  it('leaves of an API key what it is known by, and nothing where more than that is there', () => {
    const prefix = 'slk_0123456789ab';
    expect(redactText(`revoked: ${prefix}`)).toBe(`revoked: ${prefix}`);
    for (const secret of [`${prefix}_hunter2`, `${prefix}hunter2`, `${prefix}-hunter2`, 'slk_hunter2', `${prefix}_`]) {
      expect(redactText(`sent: ${secret}.`)).toBe('sent: [redacted].');
    }
    expect(redactText('blocked URL https://app.example.com/#reset=slp_hunter2-hunter2 slr_hunter2')).not.toContain(
      'hunter2',
    );
    expect(redactText(`Key ${prefix}_${'x'.repeat(43)}`)).not.toContain('xxx');
  });

  it('is bounded for circles, depth and length', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle['self'] = circle;
    expect(JSON.stringify(redact(circle)).length).toBeLessThan(500);
    expect(redactText('x'.repeat(100_000)).length).toBeLessThan(9_000);
  });

  it('leaves out the rows that a database repeats in its errors, keeping its code and text', () => {
    const driverError = Object.assign(new Error('null value in column "name"'), {
      ...{ code: '23502', detail: 'Failing row contains (usr_1, $argon2id$v=19$hash).', where: "$1 = 'hunter2'" },
    });
    const error = Object.assign(new Error('query failed'), { driverError, detail: undefined });
    const text = JSON.stringify(redact({ err: error }));
    expect(text).not.toMatch(/argon2|hunter2/);
    expect(text).toContain('23502');
    expect(text).toContain('null value in column');
  });

  it('keeps what is not secret', () => {
    expect(redact({ tokens: 'x', rows: 1n, at: new Date(0), bytes: new Uint8Array(3) })).toEqual({
      tokens: '[redacted]',
      rows: '1',
      at: new Date(0),
      bytes: '[3 bytes]',
    });
  });
});

describe('MetricsRegistry', () => {
  it('names metrics by service and exposes them as text', async () => {
    const metrics = new MetricsRegistry('auth');
    metrics.counter({ name: 'sign_ins_total', help: 'Sign-ins.', labels: ['outcome'] }).inc({ outcome: 'ok' });
    metrics.gauge({ name: 'sessions_open', help: 'Sessions.' }, (gauge) => gauge.set(7));
    const { body } = await metrics.expose();
    expect(body).toContain('sluice_auth_sign_ins_total{outcome="ok",service="auth"} 1');
    expect(body).toContain('sluice_auth_sessions_open{service="auth"} 7');
  });

  it('tells OpenMetrics to who accepts it, and to all others the same in the older text, again and again', async () => {
    const metrics = new MetricsRegistry('auth');
    metrics.counter({ name: 'sign_ins_total', help: 'Sign-ins.', labels: ['outcome'] }).inc({ outcome: 'ok' });
    metrics.histogram({ name: 'hash_seconds', help: 'Hashing.' }).observe(0.2);
    for (const _ of [1, 2]) {
      const newer = await metrics.expose('application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
      expect(newer.contentType).toContain('application/openmetrics-text');
      expect(newer.body).toMatch(/^# TYPE sluice_auth_sign_ins counter$/m);
      expect(newer.body).toMatch(/\n# EOF\n$/);
      const older = await metrics.expose('text/plain');
      expect(older.contentType).toContain('text/plain');
      expect(older.body).toMatch(
        /^# HELP sluice_auth_sign_ins_total Sign-ins\.\n# TYPE sluice_auth_sign_ins_total counter$/m,
      );
      expect(older.body).not.toContain('# EOF');
      for (const { body } of [newer, older]) expect(body).toMatch(/^sluice_auth_sign_ins_total\{.*\} 1$/m);
    }
  });

  it('refuses a label of many values: of a workspace, a user or an id', () => {
    const metrics = new MetricsRegistry('auth');
    for (const label of ['workspace', 'user', 'source_id', 'id', 'email']) {
      expect(() => metrics.counter({ name: 'wrong_total', help: '', labels: [label] })).toThrow(label);
    }
  });

  it('leaves out a gauge that cannot be read or takes long, and tells the others', async () => {
    vi.useFakeTimers();
    const metrics = new MetricsRegistry('auth');
    metrics.gauge({ name: 'broken', help: 'Broken.' }, () => Promise.reject(new Error('the database is away')));
    metrics.gauge({ name: 'hanging', help: 'Hanging.', labels: ['state'] }, () => new Promise(() => undefined));
    metrics.gauge({ name: 'good', help: 'Good.' }, (gauge) => gauge.set(1));
    const exposed = metrics.expose();
    await vi.advanceTimersByTimeAsync(3_100);
    expect((await exposed).body.match(/^sluice_\w+/gm)).toEqual(['sluice_auth_good']);
    vi.useRealTimers();
  });

  it('has counters at 0 whose label is known, so that their first event is an increase', async () => {
    const metrics = new MetricsRegistry('auth');
    metrics.counter({ name: 'mails_total', help: 'Mails.', labels: ['outcome'], known: ['sent', 'given_up'] });
    expect((await metrics.expose()).body).toContain('sluice_auth_mails_total{outcome="given_up",service="auth"} 0');
  });

  it('marks a bucket with the sampled trace that fell into it, and with no other', async () => {
    const metrics = new MetricsRegistry('auth');
    const histogram = metrics.histogram({ name: 'hash_seconds', help: 'Hashing.', labels: ['kind'] }, [1, 10]);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const spanOf = (traceFlags: number) => trace.wrapSpanContext({ traceId, spanId: 'b7ad6b7169203331', traceFlags });
    const active = vi.spyOn(trace, 'getActiveSpan').mockReturnValue(spanOf(1));
    histogram.observe({ kind: 'slow' }, 5);
    active.mockReturnValue(spanOf(0));
    histogram.startTimer({ kind: 'slow' })();
    const { body } = await metrics.expose('application/openmetrics-text');
    expect(body).toMatch(
      /le="10",.*\} 2 # \{trace_id="0af7651916cd43dd8448eb211c80319c",span_id="b7ad6b7169203331"\} 5 \S+$/m,
    );
    expect(body.match(/trace_id/g)).toHaveLength(1);
  });
});

describe('startTracing', () => {
  it('makes trace ids also where spans go nowhere', async () => {
    const stop = await startTracing({ service: 'auth', instance: 'a', otlpUrl: undefined, sampleRatio: 1 });
    trace.getTracer('test').startActiveSpan('auth.session.begin', (span) => {
      expect(span.spanContext().traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(trace.getActiveSpan()).toBe(span);
      span.end();
    });
    await stop();
  });
});

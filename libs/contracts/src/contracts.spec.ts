import { describe, expect, expectTypeOf, it } from 'vitest';
import { AppError } from '#libs/kernel';
import {
  envelopeCodec,
  events,
  firehoseMessages,
  fromFailure,
  requestsByService,
  runChanged,
  runPlanCodec,
  runRequests,
  toFailure,
  type Execution,
  type RunPlan,
  type RunState,
} from './index.js';

const execution: Execution = {
  id: 'exe_1',
  workspaceId: 'wsp_1',
  runId: 'run_1',
  fence: 1,
  state: 'TIMED_OUT',
  version: 3,
  dataSourceId: 'src_1',
  sql: 'select 1',
  parameters: { list: [1, 'two', null, { three: true }] },
  priority: 'INTERACTIVE',
  submittedById: 'usr_1',
  submittedAt: new Date('2026-01-02T03:04:05.678Z'),
  finishedAt: new Date('2026-01-02T03:04:06.001Z'),
  rows: Number.MAX_SAFE_INTEGER,
  bytes: 0,
  error: { code: 'run.timed_out', message: 'Too long.', retryable: true, retryAfterSeconds: 1.5 },
  cacheStatus: 'SHARED',
  attempts: 2,
};

describe('messageCodec', () => {
  it('gives back every field of a message: enums by name, dates, wide integers, JSON, nested and absent ones', () => {
    const { response } = runRequests.submitExecution;
    expect(response.decode(response.encode({ execution }))).toEqual({ execution });
  });

  it('keeps oneofs, maps and bytes', () => {
    const plan: RunPlan = {
      runId: 'run_1',
      fence: 2,
      workspaceId: 'wsp_1',
      source: {
        id: 'src_1',
        workspaceId: 'wsp_1',
        name: 'pg',
        type: 'postgres',
        version: 4,
        options: { host: '127.0.0.1' },
        secrets: { masterKeyId: 'k1', wrappedKey: new Uint8Array([1, 2]), ciphertext: new Uint8Array([3]) },
        maxConcurrentExecutions: 4,
        paused: false,
      },
      sql: 'select 1',
      rowsMax: 10,
      bytesMax: 20,
      timeoutMs: 30,
      submittedById: 'usr_1',
      requestId: 'req_1',
      traceparent: '',
      values: [{ type: 'text', value: '' }, { type: 'date' }],
    };
    expect(runPlanCodec.decode(runPlanCodec.encode(plan))).toEqual(plan);

    const { request } = runRequests.finishRun;
    const finish = {
      runId: 'r',
      fence: 1,
      outcome: { case: 'failed' as const, value: { error: execution.error, transient: true } },
    };
    expect(request.decode(request.encode(finish))).toEqual(finish);

    const claim = { runId: 'r', fence: 1, workerId: 'w', handle: { values: { backend_pid: '7' } } };
    expect(runRequests.claimRun.request.decode(runRequests.claimRun.request.encode(claim))).toEqual(claim);
  });

  it('refuses bytes that are no such message, and an enum member that it does not know', () => {
    expect(() => runChanged.codec.decode(new Uint8Array([255, 255, 255]))).toThrowError(AppError);
    expect(() => runChanged.codec.decode(new Uint8Array())).toThrowError(/is not in sluice.run.v1.RunState/);
  });

  it('refuses an integer beyond 2^53 - 1 instead of rounding it', () => {
    // rows = 2^53, field 6 of RunChanged, behind state = QUEUED.
    const bytes = new Uint8Array([0x18, 1, 0x30, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    expect(() => runChanged.codec.decode(bytes)).toThrowError(/beyond/);
  });

  it('gives enums as names in the types too', () => {
    expectTypeOf<RunState>().toEqualTypeOf<
      'QUEUED' | 'DISPATCHED' | 'RUNNING' | 'CANCELING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED' | 'TIMED_OUT'
    >();
    expectTypeOf<Execution['version']>().toEqualTypeOf<number>();
    expectTypeOf<Execution['submittedAt']>().toEqualTypeOf<Date | undefined>();
  });
});

describe('Envelope', () => {
  it('carries an error across as data, public and internal text apart', () => {
    const error = new AppError('sql.rejected', 'No.', {
      internalMessage: 'relation "secret" is missing',
      path: ['query', 'sql', 'text'],
      retryAfterSeconds: 2,
      issues: [{ code: 'sql.rejected', message: 'No.', path: ['query', 'sql', 'text'] }],
    });
    const envelope = {
      id: 'msg_1',
      kind: 'REPLY' as const,
      type: '',
      version: 1,
      workspaceId: 'wsp_1',
      actor: { kind: { case: 'service' as const, value: 'gateway' } },
      requestId: 'req_1',
      traceparent: '',
      tracestate: '',
      ttlMs: 0,
      idempotencyKey: '',
      replyTo: '',
      inReplyTo: 'msg_0',
      payload: new Uint8Array(),
      failure: toFailure(error),
    };
    const decoded = envelopeCodec.decode(envelopeCodec.encode(envelope));
    const failure = decoded.failure;
    if (!failure) throw new Error('the failure is gone');
    const back = fromFailure(failure);
    const { stack: _stack, ...expected } = error;
    expect(back).toMatchObject(expected);
    expect(back.message).toBe(error.message);
  });

  it('turns a code of a newer release into internal', () => {
    const failure = { ...toFailure(new AppError('internal', 'x')), code: 'moon.full' };
    expect(fromFailure(failure).code).toBe('internal');
  });
});

describe('the registry', () => {
  it('names every message once', () => {
    const names = [
      ...Object.values(requestsByService).flatMap((contracts) => contracts.map((contract) => contract.pattern)),
      // Each service has a stream of its own for the entries of the audit log, which are one message.
      ...new Set(events.map((contract) => contract.type)),
      ...firehoseMessages.map((contract) => contract.type),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('sluice.auth.v1.AuthService/SignIn');
  });
});

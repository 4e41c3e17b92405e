import { fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnvelopeSchema } from '../gen/sluice/bus/v1/envelope_pb.js';
import { ExecutionSchema, HeartbeatRequestSchema, SourceHandleSchema } from '../gen/sluice/run/v1/run_pb.js';
import { messageCodec } from './message-codec.js';

// What the reference implementation reads and writes again must be the same bytes.
function rewritten(schema: DescMessage, bytes: Uint8Array): Uint8Array {
  return toBinary(schema, fromBinary(schema, bytes));
}

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const int64 = fc.maxSafeInteger();
const json = fc.dictionary(fc.string({ maxLength: 10 }), fc.oneof(text, fc.boolean(), int32, fc.constant(null)), {
  maxKeys: 4,
});

describe('messageCodec agrees with the reference implementation', () => {
  it('on texts, bytes, oneofs, nested messages and JSON', () => {
    const codec = messageCodec(EnvelopeSchema);
    const envelope = fc.record({
      ...{ id: text, type: text, workspaceId: text, requestId: text, traceparent: text, tracestate: text },
      ...{ idempotencyKey: text, replyTo: text, inReplyTo: text },
      kind: fc.constantFrom('REQUEST' as const, 'REPLY' as const, 'EVENT' as const),
      version: fc.nat(),
      ttlMs: fc.nat(),
      actor: fc.record({
        kind: fc.oneof(
          fc.record({ case: fc.constant('accessToken' as const), value: text }),
          fc.constant({ case: undefined }),
        ),
      }),
      payload: fc.uint8Array({ maxLength: 300 }),
      failure: fc.option(
        fc.record({
          ...{ code: text, publicMessage: text, internalMessage: text, retryable: fc.boolean() },
          path: fc.array(text, { maxLength: 3 }),
          details: json,
          retryAfterSeconds: fc.double({ noNaN: true }),
          issues: fc.array(fc.record({ code: text, message: text, path: fc.array(text, { maxLength: 2 }) }), {
            maxLength: 2,
          }),
        }),
        { nil: undefined },
      ),
    });
    fc.assert(
      fc.property(envelope, (value) => {
        const bytes = codec.encode(value);
        expect(codec.decode(bytes)).toEqual(value);
        expect(rewritten(EnvelopeSchema, bytes)).toEqual(bytes);
      }),
    );
  });

  it('on wide integers, dates, enums and lists of messages', () => {
    const run = fc.record({
      runId: text,
      fence: int32,
      rows: int64,
      bytes: int64,
      fraction: fc.double({ noNaN: true }),
    });
    const binding = { queue: '', sourceIds: [], sourceTypes: [] };
    const heartbeat = messageCodec(HeartbeatRequestSchema);
    fc.assert(
      fc.property(fc.array(run, { maxLength: 5 }), int32, (runs, slots) => {
        const bytes = heartbeat.encode({ workerId: 'w', pool: '', slots, runs, ...binding });
        expect(heartbeat.decode(bytes).runs).toEqual(runs);
        expect(rewritten(HeartbeatRequestSchema, bytes)).toEqual(bytes);
      }),
    );
    const execution = messageCodec(ExecutionSchema);
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, min: new Date(-1e12), max: new Date(1e13) }), (at) => {
        const absent = execution.decode(new Uint8Array([0x28, 2, 0x58, 1, 0xa8, 1, 1]));
        const bytes = execution.encode({ ...absent, submittedAt: at });
        expect(execution.decode(bytes).submittedAt).toEqual(at);
        expect(rewritten(ExecutionSchema, bytes)).toEqual(bytes);
      }),
    );
  });

  it('on maps, also with names that mean something to JavaScript', () => {
    const codec = messageCodec(SourceHandleSchema);
    const values = { ...JSON.parse('{"__proto__": "x"}'), constructor: 'y', '': 'z' } as Record<string, string>;
    const decoded = codec.decode(codec.encode({ values }));
    expect(Object.entries(decoded.values)).toEqual(Object.entries(values));
    expect(Object.getPrototypeOf(decoded.values)).toBe(Object.prototype);
  });

  it('passes over fields that it does not know, and refuses what is cut off', () => {
    const codec = messageCodec(SourceHandleSchema);
    const bytes = codec.encode({ values: { pid: '7' } });
    expect(codec.decode(new Uint8Array([...bytes, 0xf8, 0x3f, 1])).values).toEqual({ pid: '7' });
    expect(() => codec.decode(bytes.subarray(0, bytes.length - 1))).toThrowError(/not a sluice.run.v1.SourceHandle/);
  });
});

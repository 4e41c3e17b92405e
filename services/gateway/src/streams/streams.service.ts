import { Injectable } from '@nestjs/common';
import { execute, type ExecutionResult } from 'graphql';
import { BusClient } from '#libs/bus';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { asAppError } from '../errors/format-error.js';
import type { ExecutionEvent } from '../events/execution-event.js';
import { RequestContext, type ToldPlace } from '../request/request-context.js';
import { runInScope } from '../request/request-scope.js';
import { spliceRowBytes } from '../results/raw-rows.js';
import { plainData } from './event-plan.js';
import { interruptionOf, isTokenEnded } from './interruption.js';
import type { Outlet } from './outlet.js';
import { Payload } from './payload.js';
import { ResultFormat } from './result-format.js';
import { SharedStream, type Rendered, type StreamSurroundings } from './shared-stream.js';
import type { StreamOperation } from './stream-operation.js';
import { Subscriber } from './subscriber.js';

/** The streams of this gateway: who is told what, and who are told the same. */
@Injectable()
export class StreamsService implements StreamSurroundings {
  /** Streams by what their audiences have been told; those at one place are one. */
  private readonly byKey = new Map<string, SharedStream>();
  private readonly made;

  constructor(
    private readonly bus: BusClient,
    private readonly format: ResultFormat,
    private readonly logger: AppLogger,
    metrics: MetricsRegistry,
  ) {
    metrics.gauge({ name: 'streams', help: 'Different streams that subscriptions are told.' }, (gauge) =>
      gauge.set(this.byKey.size),
    );
    this.made = metrics.counter({ name: 'events_made_total', help: 'Events that were made, for one or for many.' });
  }

  /** Begins a subscription, or says what stands in its way. */
  async subscribe(operation: StreamOperation, outlet: Outlet): Promise<Subscriber | ExecutionResult> {
    const subscriber = new Subscriber(operation, outlet);
    const stream = new SharedStream(this, new Set([subscriber]), operation);
    const refused = await stream.open();
    if (refused) {
      // One who comes back while a service restarts, or as the token ends, is not told that it was the end.
      const interruption = refused.errors?.map((error) => interruptionOf(error, operation)).find((found) => found);
      if (interruption) outlet.interrupt(interruption);
      return refused;
    }
    this.run(stream);
    return subscriber;
  }

  goOn(members: Iterable<Subscriber>, told: ToldPlace | undefined): void {
    const all = new Set(members);
    const [first] = all;
    if (first) this.run(new SharedStream(this, all, first.operation, told));
  }

  meet(stream: SharedStream): SharedStream {
    const { key } = stream;
    if (key === undefined) return stream;
    const other = this.byKey.get(key);
    if (other) return other;
    this.byKey.set(key, stream);
    return stream;
  }

  forget(stream: SharedStream): void {
    const { key } = stream;
    if (key !== undefined && this.byKey.get(key) === stream) this.byKey.delete(key);
  }

  contextOf(stream: SharedStream, requestId: string, signal: AbortSignal): RequestContext {
    return new RequestContext(this.bus, requestId, stream, { signal }, stream);
  }

  /** An event as it is sent, executed with nothing read before: an execution in it is never older than the event. */
  render({ args, ...operation }: StreamOperation, event: ExecutionEvent, context: RequestContext): Rendered {
    const plain = plainData(args, event);
    const payloadOf = (result: ExecutionResult): Payload => {
      this.made.inc();
      return new Payload(spliceRowBytes(JSON.stringify(this.format.result(operation, result))));
    };
    if (plain) return payloadOf({ data: plain });
    const executed = execute({ ...args, rootValue: event, contextValue: context.afresh() });
    return Promise.resolve(executed).then((result) => {
      // With another token the event is told whole.
      const ended = result.errors?.find((error) => isTokenEnded(asAppError(error), operation.session));
      if (ended) throw ended;
      return payloadOf(result);
    });
  }

  private run(stream: SharedStream): void {
    // All that it draws, in the scope of the request that it began with.
    runInScope(stream.context, () => stream.run()).catch((err: unknown) =>
      this.logger.error({ err }, 'a stream did not end well'),
    );
  }
}
